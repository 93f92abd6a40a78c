import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from shortlib.methods.george import George


@pytest.mark.parametrize(
    ("activations", "labels", "losses", "said"),
    [
        (np.ones((5, 3)), np.zeros(5, int), np.zeros(5), "class 0 has 5 training cases; UMAP with"),
        (np.ones((5, 3)), np.zeros(4, int), np.zeros(5), r"got \(5, 3\) and \(4,\)"),
        (np.ones((5, 3)), np.zeros(5, int), np.zeros(4), r"losses must have shape \(5,\), got"),
        (np.eye(5, 3), np.zeros(5, int), np.zeros(5), "row 3 has no direction"),
        (np.full((5, 3), np.inf), np.zeros(5, int), np.zeros(5), "activations must be finite"),
    ],
)
def test_activations_that_do_not_fit_are_said(activations, labels, losses, said):
    with pytest.raises(ValueError, match=said):
        George(activations, labels, losses, seed=0)


def planted(n, seed):
    """Two classes in 16 dimensions, the second of two far subgroups; lengths say nothing."""
    rng = np.random.default_rng(seed)
    centres = 4 * np.eye(4, 16)
    kind = np.repeat([0, 1, 2, 3], n)
    activations = centres[kind] + rng.normal(scale=0.5, size=(4 * n, 16))
    activations *= rng.uniform(1, 50, size=(4 * n, 1))
    order = rng.permutation(4 * n)
    return activations[order], kind[order] // 2, kind[order]


@pytest.mark.slow
def test_planted_subgroups_of_each_class_are_found_from_activations():
    activations, labels, kind = planted(30, 0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = George(activations, labels, np.zeros(120), seed=0, most=4)
    assert adjusted_rand_score(kind, found.groups) == 1
    assert found.classes.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(found.classes[found.groups], labels)
    more, more_labels, more_kind = planted(5, 1)
    groups = found.assign(more, more_labels)
    # UMAP's compiler would leave torch with a thread a core.
    assert torch.get_num_threads() == 1
    torch.set_num_threads(threads)
    assert adjusted_rand_score(np.r_[kind, more_kind], np.r_[found.groups, groups]) == 1
    with pytest.raises(ValueError, match="class 2 has no training case"):
        found.assign(more, more_labels + 1)
