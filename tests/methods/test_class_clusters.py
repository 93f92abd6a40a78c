import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from shortlib.methods.class_clusters import Clusters


def blobs(*sizes_and_centres, seed=0, spread=0.1):
    """Round blobs in the plane, one after the other, and the blob of each point."""
    rng = np.random.default_rng(seed)
    points = [rng.normal(centre, spread, (size, 2)) for size, centre in sizes_and_centres]
    return np.concatenate(points), np.repeat(np.arange(len(points)), [len(p) for p in points])


def test_blobs_are_found_with_their_number_and_new_points_go_to_theirs():
    plane, truth = blobs((40, (0, 0)), (30, (5, 0)), (8, (0, 7)))
    found = Clusters(plane, np.zeros(78), seed=0, most=4)
    assert found.count == 3
    assert adjusted_rand_score(truth, found.groups) == 1
    assert set(found.groups) == {0, 1, 2}
    assert found.silhouette > 0.9
    other, kinds = blobs((3, (0, 7)), (3, (5, 0)), seed=1)
    assert adjusted_rand_score(kinds, found.assign(other)) == 1
    np.testing.assert_array_equal(found.assign(plane), found.groups)


def close_pair(hard=1):
    """Two clusters; the first is of a large and a small part, nearer to each other."""
    plane, part = blobs((50, (0, 0)), (30, (3, 0)), (80, (0, 4)))
    return plane, part, np.where(part == hard, 2.0, 1.0)


def test_a_part_that_holds_together_and_is_hard_becomes_a_group_of_its_own():
    plane, part, losses = close_pair()
    whole = Clusters(plane, losses, seed=0, most=2, parts=1)
    assert whole.count == 2
    split = Clusters(plane, losses, seed=0, most=2, parts=2)
    assert split.count == 3
    assert adjusted_rand_score(part, split.groups) == 1


def test_a_part_stays_where_it_is_easy_or_small():
    plane, part, losses = close_pair()
    two = {"seed": 0, "most": 2, "parts": 2}
    small = Clusters(plane, losses, least_cases=31, **two)
    share = Clusters(plane, losses, least_share=0.2, **two)
    for found in (small, share):
        assert adjusted_rand_score(part == 2, found.groups) == 1
    # With the large part the harder one, it is the large one that goes.
    hard = Clusters(plane, close_pair(hard=0)[2], least_cases=31, **two)
    assert adjusted_rand_score(part, hard.groups) == 1
    assert Clusters(plane, close_pair(hard=0)[2], least_cases=51, **two).count == 2


def test_what_has_no_clusters_is_said():
    same = np.zeros((20, 2))
    with pytest.raises(ValueError, match="class 1 is one cluster: no mixture of 2 to 3 comp"):
        Clusters(same, np.zeros(20), seed=0, most=3, name="class 1")
    with pytest.raises(ValueError, match="the class has 10 training cases, too few for 10 cl"):
        Clusters(np.eye(10, 2), np.zeros(10), seed=0)


@pytest.mark.parametrize(
    ("plane", "losses", "options", "said"),
    [
        (np.zeros(20), np.zeros(20), {}, r"plane must have shape \(n, 2\) and losses \(n,\)"),
        (np.zeros((20, 2)), np.zeros(19), {}, r"got \(20, 2\) and \(19,\)"),
        (np.full((20, 2), np.nan), np.zeros(20), {}, "plane and losses must be finite"),
        (np.zeros((20, 2)), np.zeros(20), {"most": 1}, "most must be at least 2, got 1"),
        (np.zeros((20, 2)), np.zeros(20), {"parts": 0}, "parts must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_clustered_is_said(plane, losses, options, said):
    with pytest.raises(ValueError, match=said):
        Clusters(plane, losses, seed=0, **options)
