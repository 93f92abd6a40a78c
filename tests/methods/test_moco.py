import math
from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.loss import NTXentLoss
from torch.nn.functional import normalize

from shortlib.methods.moco import MoCo, info_nce
from shortlib.models.cnn import build_cnn


def numbers(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


def small(**options):
    torch.manual_seed(0)
    return MoCo(build_cnn("cnn-small"), **{"width": 6, "queue": 8, **options})


def views(n=4, seed=0):
    return torch.rand(2, n, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def slow_info_nce(queries, keys, negatives, temperature):
    total = 0.0
    for query, key in zip(queries, keys, strict=True):
        scores = [cosine(query, other) / temperature for other in [key, *negatives]]
        top = max(scores)
        total += top + math.log(sum(math.exp(score - top) for score in scores)) - scores[0]
    return total / len(queries)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 9), st.floats(0.05, 3), st.integers(0, 1000))
def test_the_loss_agrees_with_a_slow_version(n, k, temperature, seed):
    parts = numbers((n, 4), (n, 4), (k, 4), seed=seed)
    due = slow_info_nce(*(part.tolist() for part in parts), temperature)
    assert info_nce(*parts, temperature).item() == pytest.approx(due, rel=1e-9, abs=1e-9)


def test_losses_and_gradients_agree_with_lightly_while_the_queue_goes_round():
    model = small(queue=12, temperature=0.2)
    theirs = NTXentLoss(0.2, memory_bank_size=(12, 6))
    theirs.memory_bank.bank = model.queue.clone()
    for step in range(7):
        given_ = [part.float() for part in numbers((4, 6), (4, 6), seed=step)]
        values = []
        for mine in (True, False):
            queries, keys = given_[0].clone().requires_grad_(), given_[1]
            if mine:
                loss = info_nce(queries, keys, model.queue, 0.2)
                model.enqueue(normalize(keys, dim=1))
            else:
                loss = theirs(queries, keys)
            loss.backward()
            values.append((loss, queries.grad))
        torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(model.queue, theirs.memory_bank.bank)


def test_a_key_among_negatives_that_are_all_its_copies_is_found_by_chance():
    same = torch.ones(5, 3)
    assert info_nce(same, same, torch.ones(7, 3), 0.1).item() == pytest.approx(math.log(8))
    far = info_nce(torch.eye(3), torch.eye(3), -torch.ones(4, 3), 0.05)
    assert far.item() == pytest.approx(0, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(1, 12), max_size=8))
def test_the_queue_keeps_the_latest_keys_whatever_the_batches(size, batches):
    model = small(queue=size, width=1)
    kept, count = deque((float(x) for x in model.queue[:, 0]), maxlen=size), 0
    for n in batches:
        keys = torch.arange(count, count + n, dtype=torch.float32)[:, None]
        count += n
        model.enqueue(keys)
        kept.extend(keys[:, 0].tolist())
        order = (int(model.oldest) + torch.arange(size)) % size
        assert model.queue[order, 0].tolist() == list(kept)


def test_a_loss_has_the_keys_of_the_steps_before_as_negatives_and_not_its_own():
    model, (first, second) = small(), views()
    start = model.queue.clone()
    torch.testing.assert_close(start.norm(dim=1), torch.ones(8))
    with torch.no_grad():  # or a key could come from the network itself
        model.slow.head[-1].bias.add_(0.5)
    with torch.no_grad():
        queries = model.project(first)
        keys = normalize(model.slow.project(second), dim=1)
    due = info_nce(queries, keys, start, 0.07)
    torch.testing.assert_close(model.loss(first, second), due)
    torch.testing.assert_close(model.queue[:4], keys)
    torch.testing.assert_close(model.queue[4:], start[4:])
    again = info_nce(queries, keys, model.queue, 0.07)
    assert again > due
    torch.testing.assert_close(model.loss(first, second), again)


def test_only_training_fills_the_queue():
    model, (first, second) = small().eval(), views()
    start = model.queue.clone()
    model.loss(first, second)
    assert torch.equal(model.queue, start)
    assert int(model.oldest) == 0


@pytest.mark.parametrize("layers", [1, 2])
def test_encoder_and_head_get_gradients_and_the_slow_copy_none(layers):
    model, (first, second) = small(layers=layers), views()
    model.loss(first, second).backward()
    for name, value in model.named_parameters():
        idle = name.startswith(("slow.", "encoder.head."))
        assert (value.grad is None or bool((value.grad == 0).all())) is idle, name
        assert value.requires_grad is not name.startswith("slow."), name
    linear = [layer for layer in model.head if isinstance(layer, torch.nn.Linear)]
    assert len(linear) == layers
    # The head is in the path of queries and of keys.
    before = model.eval().loss(first, second).item()
    with torch.no_grad():
        linear[-1].weight.mul_(-1)
    assert model.loss(first, second).item() != pytest.approx(before, rel=1e-3)


def test_the_slow_copy_is_the_moving_average_of_the_weights():
    model = small(momentum=0.9)
    start = {name: value.clone() for name, value in model.slow.named_parameters()}
    for name, value in start.items():
        assert torch.equal(value, model.get_parameter(name)), name
    model.after_step()  # nothing has moved yet, so that nothing may move here
    assert all(torch.equal(value, start[name]) for name, value in model.slow.named_parameters())
    due = {name: value.double() for name, value in start.items()}
    for step in range(3):
        with torch.no_grad():
            for name in start:
                model.get_parameter(name).add_(0.1 * (step + 1))
        model.after_step()
        for name in due:
            due[name] = 0.9 * due[name] + 0.1 * model.get_parameter(name).double()
    for name, value in model.slow.named_parameters():
        torch.testing.assert_close(value.double(), due[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("momentum", "follows"), [(0.0, True), (1.0, False)])
def test_a_copy_with_momentum_0_is_the_network_and_with_1_never_moves(momentum, follows):
    model = small(momentum=momentum)
    weight = model.slow.head[0].weight.clone()
    with torch.no_grad():
        model.head[0].weight.add_(1)
    model.after_step()
    due = model.head[0].weight if follows else weight
    torch.testing.assert_close(model.slow.head[0].weight, due, rtol=0, atol=1e-6)


def test_the_queue_and_its_place_are_kept_with_the_weights():
    model, (first, second) = small(), views()
    model.loss(first, second)
    other = small(queue=8)
    other.load_state_dict(model.state_dict())
    assert int(other.oldest) == 4
    torch.testing.assert_close(other.loss(first, second), model.loss(first, second))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"queue": 0}, "queue must be at least 1, got 0"),
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\], got 1.5"),
        ({"temperature": -1}, "temperature must be positive, got -1"),
        ({"layers": 3}, "layers must be 2, or 1 without hidden, got layers 3"),
        ({"layers": 1, "hidden": 9}, "layers must be 2, or 1 without hidden, got layers 1, hid"),
    ],
)
def test_a_wrong_option_is_said(options, said):
    with pytest.raises(ValueError, match=said):
        small(**options)


def test_shapes_that_do_not_fit_are_said():
    with pytest.raises(ValueError, match=r"negatives must have shape \(k, 2\), got \(4, 3\)"):
        info_nce(torch.ones(3, 2), torch.ones(3, 2), torch.ones(4, 3), 0.1)
    with pytest.raises(ValueError, match=r"queries and keys must have one shape \(n, d\)"):
        info_nce(torch.ones(3, 2), torch.ones(2, 2), torch.ones(4, 2), 0.1)
