import re

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from torchvision.models import (
    DenseNet121_Weights,
    MobileNet_V2_Weights,
    ResNet18_Weights,
    ResNet50_Weights,
    mobilenet_v2,
)
from torchvision.transforms.functional import normalize

from shortlib.models.cnn import TORCHVISION, build_cnn
from shortlib.models.imagenet import MEAN, SOURCES, STD, load_imagenet

META = {
    "resnet18": ResNet18_Weights,
    "resnet50": ResNet50_Weights,
    "densenet121": DenseNet121_Weights,
    "mobilenet-v2": MobileNet_V2_Weights,
}

# Sandler et al. (2018), Table 2, written out: timm's block, torchvision's, channels in and out.
BLOCKS = """
0.0  1  32  16
1.0  2  16  24
1.1  3  24  24
2.0  4  24  32
2.1  5  32  32
2.2  6  32  32
3.0  7  32  64
3.1  8  64  64
3.2  9  64  64
3.3 10  64  64
4.0 11  64  96
4.1 12  96  96
4.2 13  96  96
5.0 14  96 160
5.1 15 160 160
5.2 16 160 160
6.0 17 160 320
"""


def timms_mobilenet():
    """What timm's file of MobileNetV2 holds: name to torchvision's name and the shape."""
    pairs = [("conv_stem", "features.0.0", (32, 3, 3, 3)), ("bn1", "features.0.1", 32)]
    for row in BLOCKS.split("\n")[1:-1]:
        block, place, before, after = row.split()
        before, after = int(before), int(after)
        wide = 6 * before
        if block == "0.0":
            parts = [
                ("conv_dw", "0.0", (before, 1, 3, 3)),
                ("bn1", "0.1", before),
                ("conv_pw", "1", (after, before, 1, 1)),
                ("bn2", "2", after),
            ]
        else:
            parts = [
                ("conv_pw", "0.0", (wide, before, 1, 1)),
                ("bn1", "0.1", wide),
                ("conv_dw", "1.0", (wide, 1, 3, 3)),
                ("bn2", "1.1", wide),
                ("conv_pwl", "2", (after, wide, 1, 1)),
                ("bn3", "3", after),
            ]
        pairs += [
            (f"blocks.{block}.{theirs}", f"features.{place}.conv.{ours}", size)
            for theirs, ours, size in parts
        ]
    pairs += [("conv_head", "features.18.0", (1280, 320, 1, 1)), ("bn2", "features.18.1", 1280)]
    tensors = {"classifier.weight": ("classifier.1.weight", (1000, 1280))}
    tensors["classifier.bias"] = ("classifier.1.bias", (1000,))
    for theirs, ours, size in pairs:
        if isinstance(size, tuple):
            tensors[f"{theirs}.weight"] = (f"{ours}.weight", size)
            continue
        for last in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{theirs}.{last}"] = (f"{ours}.{last}", (size,))
        tensors[f"{theirs}.num_batches_tracked"] = (f"{ours}.num_batches_tracked", ())
    return tensors


def put(cache, network, state):
    """Write a file of weights where the hub's client looks for it, under the hub's names."""
    if network == "mobilenet-v2":
        state = {theirs: state[ours] for theirs, (ours, _) in timms_mobilenet().items()}
    repository, revision = SOURCES[network]
    folder = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / revision
    folder.mkdir(parents=True)
    save_file(state, folder / "model.safetensors")
    return folder / "model.safetensors"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and a hub that nobody reaches."""

    def unreachable(*_, **__):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.file_download._get_metadata_or_catch_error", unreachable)
    return tmp_path


def theirs_of(network, seed=0):
    torch.manual_seed(seed)
    net = TORCHVISION[network](weights=None)
    for module in net.modules():  # else running means are 0 and variances 1, like those not loaded
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


@pytest.mark.parametrize("network", SOURCES)
def test_the_features_are_those_of_torchvisions_network(network, cache):
    theirs = theirs_of(network)
    put(cache, network, theirs.state_dict())
    ours = build_cnn(network, outputs=5, weights="imagenet").eval()
    images = torch.rand(2, 1, 64, 64)
    meta = META[network].IMAGENET1K_V1.transforms()
    due = []
    head = theirs.fc if network.startswith("resnet") else theirs.classifier
    head.register_forward_pre_hook(lambda _, given: due.append(given[0]))
    with torch.no_grad():
        logits, embedding = ours.forward_with_embedding(images)
        theirs(normalize(images.repeat(1, 3, 1, 1), meta.mean, meta.std))
        torch.testing.assert_close(embedding, due[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits, ours.head(embedding))
    assert logits.shape == (2, 5)


def test_mean_and_scale_are_those_that_torchvision_states():
    for weights in META.values():
        meta = weights.IMAGENET1K_V1.transforms()
        assert (tuple(meta.mean), tuple(meta.std)) == (MEAN, STD)


def test_grey_in_one_channel_is_grey_in_three(cache):
    put(cache, "resnet18", theirs_of("resnet18").state_dict())
    one, three = (
        build_cnn("resnet18", channels=channels, weights="imagenet").eval() for channels in (1, 3)
    )
    three.load_state_dict(one.state_dict())
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(one(images), three(images.repeat(1, 3, 1, 1)))
    assert not [name for name in one.state_dict() if name.endswith((".mean", ".std"))]


def test_a_count_of_batches_may_be_absent_and_nothing_else(cache):
    state = theirs_of("resnet18").state_dict()
    path = put(
        cache, "resnet18", {k: v for k, v in state.items() if not k.endswith("batches_tracked")}
    )
    build_cnn("resnet18", weights="imagenet")
    whole = load_file(path)
    for name, changed in (
        ("layer1.0.conv1.weight", None),
        ("fc.weight", torch.zeros(10, 512)),
        ("layer5.weight", torch.zeros(1)),
    ):
        save_file({k: v for k, v in (whole | {name: changed}).items() if v is not None}, path)
        with pytest.raises(ValueError, match=rf"not the weights of resnet18: 1 .* '{name}'"):
            build_cnn("resnet18", weights="imagenet")


def test_each_tensor_of_timms_mobilenet_goes_where_it_belongs(cache):
    torch.manual_seed(0)
    due, under_ours = {}, {}
    for ours, shape in timms_mobilenet().values():
        counts = ours.endswith("num_batches_tracked")
        due[ours] = under_ours[ours] = torch.tensor(7) if counts else torch.rand(shape)
    put(cache, "mobilenet-v2", under_ours)
    whole = mobilenet_v2(weights=None)
    load_imagenet(whole, "mobilenet-v2")
    state = whole.state_dict()
    assert state.keys() == due.keys()
    assert all(torch.equal(state[name], due[name]) for name in due)
    # The paper's 3.4 million, which torchvision and timm give as this.
    assert sum(value.numel() for value in whole.parameters()) == 3_504_872


@pytest.mark.parametrize(
    ("name", "changed", "named"),
    [
        ("blocks.3.2.bn3.bias", None, "features.9.conv.3.bias"),
        ("blocks.0.0.conv_pw.weight", torch.zeros(16, 16, 1, 1), "features.1.conv.1.weight"),
        ("blocks.7.0.conv_pw.weight", torch.zeros(1), "blocks.7.0.conv_pw.weight"),
        ("bias", torch.zeros(1), "bias"),
    ],
)
def test_a_wrong_tensor_of_timms_mobilenet_is_named(cache, name, changed, named):
    path = put(cache, "mobilenet-v2", theirs_of("mobilenet-v2").state_dict())
    state = load_file(path) | {name: changed}
    save_file({k: v for k, v in state.items() if v is not None}, path)
    with pytest.raises(ValueError, match=f"not the weights of mobilenet-v2: 1 .* '{named}'"):
        build_cnn("mobilenet-v2", weights="imagenet")


def test_a_damaged_file_is_named(cache):
    path = put(cache, "resnet18", {"fc.bias": torch.zeros(3)})
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".* cannot be read"):
        build_cnn("resnet18", weights="imagenet")


@pytest.mark.parametrize("network", SOURCES)
def test_without_the_hub_a_sentence_says_what_to_do(network, cache):
    with pytest.raises(ValueError, match="not in the cache") as caught:
        build_cnn(network, weights="imagenet")
    for part in (*SOURCES[network], str(cache), "hf download", "weights='random'"):
        assert part in str(caught.value)


def test_a_network_without_such_weights_is_refused():
    with pytest.raises(ValueError, match="weights must be 'random' for cnn-small, got 'imagenet'"):
        build_cnn("cnn-small", weights="imagenet")


def test_wrong_arguments():
    with pytest.raises(ValueError, match="weights must be one of random, imagenet, got 'none'"):
        build_cnn("resnet18", weights="none")
    with pytest.raises(ValueError, match="channels must be 1 or 3 with weights='imagenet', got 2"):
        build_cnn("resnet18", channels=2, weights="imagenet")


def test_random_weights_do_not_depend_on_how_they_are_asked_for():
    torch.manual_seed(3)
    first = build_cnn("resnet18").state_dict()
    torch.manual_seed(3)
    second = build_cnn("resnet18", weights="random").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first | second)
