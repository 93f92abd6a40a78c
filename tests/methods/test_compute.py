import numpy as np
import pytest
import torch

from shortlib.methods import compute
from shortlib.methods.compute import Compute, as_float, choose_compute


def global_state():
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


@pytest.mark.parametrize("fails", [False, True])
def test_active_sets_threads_and_determinism_and_gives_them_back(fails):
    before = global_state()
    chosen = Compute("cpu", "float32", False, threads=before[0] + 1)
    try:
        with chosen.active():
            assert global_state() == (before[0] + 1, True, False)
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert global_state() == before


@pytest.mark.parametrize("device", ["tpu", "", "cuda:0"])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(ValueError, match=f"device must be cpu, cuda or auto, got '{device}'"):
        choose_compute(device, "fcn-tiny")


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="has no CUDA device; use cpu or auto"):
        choose_compute("cuda", "fcn-tiny")
    assert choose_compute("auto", "fcn-tiny").device == "cpu"


@pytest.mark.parametrize(
    ("network", "native", "precision", "channels_last"),
    [
        ("fcn-resnet50", True, "bfloat16", True),
        ("fcn-resnet50", False, "float32", True),
        ("unet-small", True, "bfloat16", True),
        ("unet-resnet18", True, "bfloat16", True),
        ("unet-seresnext50", True, "bfloat16", True),
        ("unet-seresnext50", False, "float32", True),
        ("fcn-tiny", True, "float32", False),
        ("cnn-small", True, "float32", True),
        ("cnn-small", False, "float32", True),
    ],
)
def test_precision_and_layout_follow_network_and_cpu(
    monkeypatch, network, native, precision, channels_last
):
    monkeypatch.setattr(compute, "cpu_has_bfloat16", lambda: native)
    chosen = choose_compute("cpu", network, threads=3)
    assert chosen == Compute("cpu", precision, channels_last, 3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_autocast_is_of_the_precision(precision):
    with Compute("cpu", precision, False).autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == getattr(torch, precision)


@pytest.mark.parametrize("channels_last", [True, False])
def test_place_brings_images_and_weights_into_the_layout(channels_last):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    place = Compute("cpu", "float32", channels_last).place
    assert place(torch.zeros(2, 3, 4, 5)).is_contiguous(memory_format=layout)
    assert place(torch.nn.Conv2d(3, 4, 3)).weight.is_contiguous(memory_format=layout)


def test_uint8_images_are_scaled_and_others_are_not():
    values = np.array([0, 51, 255], dtype=np.uint8)
    assert as_float(torch.from_numpy(values)).tolist() == pytest.approx([0.0, 0.2, 1.0])
    unscaled = as_float(torch.tensor([-3.0, 7.0], dtype=torch.float64))
    assert unscaled.dtype == torch.float32
    assert unscaled.tolist() == [-3.0, 7.0]
