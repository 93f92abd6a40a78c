import pytest

from shortlib.studies.own_parameters import own_parameters

STUDY = "spatial-specificity-synthetic"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("epochs=5", 5),
        ("rho=0.5", 0.5),
        ("rho=1e-3", 0.001),
        ("mu_s=-.5e1", -5.0),
        ("specificities=[1, 40]", [1, 40]),
        ("epochs=null", None),
        ("epochs=true", True),
        ("epochs=many", "many"),
        ("epochs=2 or 3", "2 or 3"),
        ("epochs=a=b", "a=b"),
        ("epochs=", None),
    ],
)
def test_values_are_read_as_yaml(text, value):
    name = text.partition("=")[0]
    read = own_parameters(STUDY, [text])
    assert read == {name: value}
    assert type(read[name]) is type(value)


def test_of_several_for_one_name_the_last_counts():
    assert own_parameters(STUDY, ["epochs=1", "rho=1.0", "epochs=2"]) == {"epochs": 2, "rho": 1.0}
    assert own_parameters(STUDY, []) == {}
