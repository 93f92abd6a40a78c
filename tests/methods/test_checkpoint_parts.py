import pytest

from shortlib.methods.checkpoint_parts import part_of, parts_of


def test_parts_lie_beside_the_checkpoint_and_are_found_again(tmp_path):
    checkpoint = tmp_path / ".cnn-m0.5-s0-key-code.checkpoint.safetensors"
    other = tmp_path / ".cnn-m0.5-s1-key-code.checkpoint.safetensors"
    assert parts_of(checkpoint) == []
    real, shortcut = (part_of(checkpoint, part) for part in ("real", "shortcut"))
    assert real.name == ".cnn-m0.5-s0-key-code.real.checkpoint.safetensors"
    for path in (checkpoint, real, shortcut, other, part_of(other, "real")):
        path.touch()
    assert parts_of(checkpoint) == [real, shortcut]


def test_a_fit_without_a_checkpoint_has_none_for_its_parts():
    assert part_of(None, "real") is None


@pytest.mark.parametrize("part", ["", "a.b", "../b", "a b"])
def test_a_name_that_could_not_be_found_again_is_refused(tmp_path, part):
    with pytest.raises(ValueError, match="part is a name of letters"):
        part_of(tmp_path / ".run.checkpoint.safetensors", part)
