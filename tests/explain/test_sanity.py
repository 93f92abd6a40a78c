import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import nn

from shortlib.explain.sanity import (
    layers_from_top,
    map_similarity,
    randomised_parameters,
    shuffled_labels,
)
from shortlib.models.cnn import build_cnn
from shortlib.models.phases import build_phase_network

# From the output: the head, then norm and convolution of each of four blocks.
SMALL = ["head", *(f"encoder.body.{k}" for k in (13, 12, 9, 8, 5, 4, 1, 0))]


@pytest.fixture
def model():
    """A network none of whose weights is where a reset would put it."""
    torch.manual_seed(5)
    network = build_phase_network("cnn-small", outputs=4)
    network(torch.rand(8, 2, 64, 64))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.rand_like(weight) + 0.1)
    return network


def differing(a, b):
    """Layers in which two networks differ."""
    pairs = zip(a.state_dict().items(), b.state_dict().values(), strict=True)
    return {name.rpartition(".")[0] for (name, x), y in pairs if not torch.equal(x, y)}


def test_layers_are_listed_from_the_output_to_the_input(model):
    assert layers_from_top(model) == SMALL


@pytest.mark.parametrize("network", ["resnet18", "densenet121", "mobilenet-v2"])
def test_other_networks_begin_with_their_head_and_end_with_their_first_convolution(network):
    model = build_cnn(network, outputs=2)
    names = layers_from_top(model)
    assert names[0] == "head"
    first = model.get_submodule(names[-1])
    assert isinstance(first, nn.Conv2d)
    assert first.in_channels == 1
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
    assert len(names) == sum(isinstance(module, kinds) for module in model.modules())


@pytest.mark.parametrize("count", range(1, 10))
def test_as_many_layers_as_asked_for_are_made_anew_from_the_top(model, count):
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    copied = randomised_parameters(model, seed=0, layers=count)
    assert differing(model, copied) == set(SMALL[:count])
    torch.testing.assert_close(model.state_dict(), kept, rtol=0, atol=0)
    # The layers that a longer cascade shares with a shorter one are alike.
    whole = randomised_parameters(model, seed=0, layers="all")
    assert differing(whole, copied) == set(SMALL[count:])


def test_head_and_all_are_the_ends_of_the_cascade(model):
    assert differing(model, randomised_parameters(model, seed=0, layers="head")) == {"head"}
    assert differing(model, randomised_parameters(model, seed=0)) == set(SMALL)


def test_norms_forget_and_weights_are_as_small_as_fresh_ones(model):
    copied = randomised_parameters(model, seed=0)
    norm = copied.encoder.body[1]
    assert not norm.running_mean.any()
    assert (norm.running_var == 1).all()
    assert norm.num_batches_tracked == 0
    assert copied.head.weight.abs().max() <= 1 / np.sqrt(copied.head.in_features)


def test_weights_follow_the_seed_and_leave_the_callers_random_numbers_alone(model):
    state = torch.get_rng_state()
    first, again, other = (randomised_parameters(model, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert differing(first, again) == set()
    # Norms start from the same values, whatever the seed.
    assert differing(first, other) == {n for n in SMALL if n == "head" or int(n[13:]) % 4 == 0}


def test_layers_that_there_are_not_are_refused(model):
    for wrong in (0, 10, -1, True, 1.5, "tail"):
        with pytest.raises(
            ValueError, match="layers must be 'all', 'head' or a number from 1 to 9"
        ):
            randomised_parameters(model, seed=0, layers=wrong)
    model.scale = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="parameter that nothing can reset: 'scale'"):
        randomised_parameters(model, seed=0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=12, max_size=12), st.permutations(range(12)))
def test_similarity_is_spearmans_with_shared_ranks(a, b):
    got = map_similarity(np.reshape(a, (1, 3, 4)), np.reshape(b, (1, 3, 4)))
    if len(set(a)) == 1:
        assert np.isnan(got[0])
    else:
        np.testing.assert_allclose(got[0], spearmanr(a, b).statistic, atol=1e-12)


@settings(deadline=None)
@given(st.permutations(range(9)), st.permutations(range(9)))
def test_similarity_of_orders_without_ties_has_a_closed_form(a, b):
    a, b = np.array(a), np.array(b)
    due = 1 - 6 * ((a - b) ** 2).sum() / (9 * (81 - 1))
    np.testing.assert_allclose(map_similarity(a.reshape(1, 3, 3), b.reshape(1, 3, 3)), due)


def test_order_alone_counts():
    maps = np.random.default_rng(0).random((4, 7, 6))
    np.testing.assert_allclose(map_similarity(maps, np.exp(5 * maps)), 1)
    np.testing.assert_allclose(map_similarity(maps, -maps), -1)
    apart = [map_similarity(maps[i : i + 1], maps[i - 1 : i] + 1)[0] for i in range(1, 4)]
    np.testing.assert_array_equal(map_similarity(maps[1:], maps[:-1]), apart)
    assert map_similarity(maps[:0], maps[:0]).shape == (0,)


def test_a_constant_map_has_no_order():
    maps = np.random.default_rng(0).random((2, 5, 5))
    maps[0] = 0
    for got in (map_similarity(maps, maps), map_similarity(maps, maps[::-1])):
        assert np.isnan(got[0])
    assert map_similarity(maps, maps)[1] == pytest.approx(1)


def test_maps_that_do_not_fit_are_refused():
    maps = np.zeros((2, 5, 5))
    with pytest.raises(ValueError, match=r"a and b must have one shape \(n, h, w\), got \(2, 5"):
        map_similarity(maps, maps[:1])
    with pytest.raises(ValueError, match=r"must have one shape"):
        map_similarity(maps[0], maps[0])
    with pytest.raises(ValueError, match="b must be finite, case 1 holds NaN or infinity"):
        map_similarity(maps, np.stack([maps[0], np.full((5, 5), np.inf)]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 5))
def test_shuffled_labels_are_the_same_labels(labels, seed):
    dealt = shuffled_labels(labels, seed=seed)
    assert sorted(dealt) == sorted(labels)
    np.testing.assert_array_equal(shuffled_labels(labels, seed=seed), dealt)


def test_shuffled_labels_agree_with_the_true_ones_by_chance_alone():
    labels = np.repeat([0, 1, 2, 3], [400, 800, 1200, 1600])
    agreed = [(shuffled_labels(labels, seed=s) == labels).mean() for s in range(20)]
    assert np.mean(agreed) == pytest.approx(0.3, abs=0.01)  # the sum of the squared shares
    assert len({shuffled_labels(labels, seed=s).tobytes() for s in range(20)}) == 20
    rows = np.arange(12).reshape(6, 2)
    dealt = shuffled_labels(rows, seed=0)
    assert sorted(map(tuple, dealt)) == sorted(map(tuple, rows))
