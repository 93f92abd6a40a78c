import numpy as np
import pytest

from shortlib.metrics import annotation_cost


@pytest.mark.parametrize(
    ("clicks", "digits", "published"), [(2, 2, 280), (45, 3, 12_200)], ids=["boxes", "masks"]
)
def test_the_papers_example_of_what_location_costs_beyond_labels(clicks, digits, published):
    more = annotation_cost(10_000, clicks=clicks) - annotation_cost(10_000, clicks=1)
    assert float(f"{more:.{digits}g}") == published


def test_a_cost_is_counted_click_by_click():
    seconds = 0.0
    for _case in range(7):
        for _abnormality in range(3):
            for _click in range(2):
                seconds += 1.5
    due = seconds / 60 / 60 * 80
    found = annotation_cost(7, clicks=2, seconds_per_click=1.5, wage_per_hour=80, abnormalities=3)
    assert found == pytest.approx(due, rel=1e-12)


def test_many_sizes_at_once_cost_what_each_costs_and_none_costs_nothing():
    sizes = np.array([[0, 600], [1100, 2200]])
    found = annotation_cost(sizes, clicks=45)
    assert found.tolist() == [[annotation_cost(int(m), clicks=45) for m in row] for row in sizes]
    assert found[0, 0] == 0
    assert isinstance(annotation_cost(600, clicks=45), float)


@pytest.mark.parametrize(
    ("cases", "options", "said"),
    [
        (-1, {}, "n_positive must be a whole number of cases, 0 or more, got -1"),
        ([3, 2.5], {}, "n_positive must be a whole number of cases, 0 or more, got 2.5"),
        (np.nan, {}, "n_positive must be a whole number of cases, 0 or more, got nan"),
        (1, {"clicks": 0}, "clicks must be positive and finite, got 0"),
        (1, {"seconds_per_click": -1}, "seconds_per_click must be positive and finite, got -1"),
        (1, {"wage_per_hour": np.nan}, "wage_per_hour must be positive and finite, got nan"),
        (1, {"abnormalities": np.inf}, "abnormalities must be positive and finite, got inf"),
    ],
)
def test_a_wrong_argument_is_said(cases, options, said):
    with pytest.raises(ValueError, match=said):
        annotation_cost(cases, **{"clicks": 2, **options})
