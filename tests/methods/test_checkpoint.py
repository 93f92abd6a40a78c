import pytest
import torch
from safetensors import safe_open

from shortlib.methods.checkpoint import load_checkpoint, save_checkpoint


def net_and_optimizer(seed=0, channels_last=True, steps=2, width=8):
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3), torch.nn.BatchNorm2d(width), torch.nn.Conv2d(width, 1, 3)
    )
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, fused=True)
    for number in range(steps):
        step(net, optimizer, number)
    return net, optimizer


def step(net, optimizer, seed):
    torch.manual_seed(100 + seed)
    optimizer.zero_grad()
    net(torch.randn(2, 3, 8, 8)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_restored_fit_goes_on_bit_for_bit(tmp_path, channels_last):
    net, optimizer = net_and_optimizer(channels_last=channels_last)
    best = {"rule": {k: v.clone() for k, v in net.state_dict().items()}}
    state = {"epoch": 2, "history": [{"loss": 0.1 + 0.2}], "best": {}}
    save_checkpoint(tmp_path / "c", model=net, optimizer=optimizer, best=best, state=state)

    other, other_optimizer = net_and_optimizer(1, channels_last, steps=0)
    best_again, state_again = load_checkpoint(
        tmp_path / "c", model=other, optimizer=other_optimizer
    )
    assert state_again == state
    assert all(torch.equal(v, best_again["rule"][k]) for k, v in best["rule"].items())
    for kept, restored in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(kept, restored)
        for slot in ("exp_avg", "exp_avg_sq"):
            moment = other_optimizer.state[restored][slot]
            assert torch.equal(moment, optimizer.state[kept][slot])
            assert moment.stride() == optimizer.state[kept][slot].stride()
    for model, its_optimizer in ((net, optimizer), (other, other_optimizer)):
        for number in (7, 8):
            step(model, its_optimizer, number)
    for name, value in net.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_the_file_holds_tensors_and_json_and_no_pickle(tmp_path):
    net, optimizer = net_and_optimizer()
    save_checkpoint(tmp_path / "c", model=net, optimizer=optimizer, best={}, state={"epoch": 2})
    with safe_open(tmp_path / "c", framework="np") as file:  # not even torch is needed
        assert file.metadata() == {"state": '{"epoch": 2}'}
        assert all(file.get_tensor(name) is not None for name in file.keys())  # noqa: SIM118
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("left", [0, 5, 200, -10])
def test_a_truncated_file_is_named(tmp_path, left):
    net, optimizer = net_and_optimizer()
    save_checkpoint(tmp_path / "c", model=net, optimizer=optimizer, best={}, state={"epoch": 2})
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:left])
    with pytest.raises(ValueError, match=f"checkpoint {tmp_path / 'c'} cannot be resumed from"):
        load_checkpoint(tmp_path / "c", model=net, optimizer=optimizer)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    net, optimizer = net_and_optimizer()
    save_checkpoint(tmp_path / "c", model=net, optimizer=optimizer, best={}, state={"epoch": 2})
    wider, its_optimizer = net_and_optimizer(width=9)
    with pytest.raises(ValueError, match=r"(?s)cannot be resumed from.*size mismatch"):
        load_checkpoint(tmp_path / "c", model=wider, optimizer=its_optimizer)


def test_a_save_that_fails_leaves_the_last_one(tmp_path, monkeypatch):
    net, optimizer = net_and_optimizer()
    kept = {"model": net, "optimizer": optimizer, "best": {}}
    save_checkpoint(tmp_path / "c", **kept, state={"epoch": 2})

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shortlib.methods.checkpoint.save_file", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path / "c", **kept, state={"epoch": 3})
    assert load_checkpoint(tmp_path / "c", model=net, optimizer=optimizer)[1] == {"epoch": 2}
