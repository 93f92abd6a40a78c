import numpy as np
import pytest

from shortlib.metrics import case_counts


def all_counts(*args, **options):
    return np.concatenate(list(case_counts(*args, **options)), axis=1)


def test_cases_are_drawn_uniformly_and_the_seed_decides():
    drawn = all_counts(8, n_resamples=4000, seed=1)
    assert drawn.shape == (8, 4000)
    assert (drawn.sum(axis=0) == 8).all()
    assert np.abs(drawn.sum(axis=1) - 4000).max() < 5 * np.sqrt(4000)
    assert (drawn != all_counts(8, n_resamples=4000, seed=2)).any()


def test_a_patient_comes_whole():
    patients = np.array(list("abbcccd"))
    drawn = all_counts(7, groups=patients, n_resamples=4000, seed=1)
    assert (drawn[1] == drawn[2]).all()
    assert (drawn[3:6] == drawn[3]).all()
    # As many patients as there are, whatever number of cases they bring.
    assert (drawn[[0, 1, 3, 6]].sum(axis=0) == 4).all()
    assert len(set(drawn.sum(axis=0))) > 3
    assert np.abs(drawn.sum(axis=1) - 4000).max() < 5 * np.sqrt(4000)


def test_patients_with_one_case_each_are_cases():
    alone = all_counts(9, groups=[f"p{i}" for i in range(9)], n_resamples=50)
    np.testing.assert_array_equal(alone, all_counts(9, n_resamples=50))


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (0, {}, "n must be at least 1, got 0"),
        (5, {"n_resamples": 0}, "n_resamples must be at least 1, got 0"),
        (5, {"groups": ["a", "b"]}, r"groups must have shape \(5,\), .*got \(2,\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(n, options, message):
    with pytest.raises(ValueError, match=message):
        case_counts(n, **options)
