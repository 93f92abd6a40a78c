import sys
from itertools import pairwise

import pytest
import timm
import torch
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file
from segmentation_models_pytorch import encoders
from torch import nn
from torchvision.models import resnet18

from shortlib.models.cnn import build_cnn
from shortlib.models.imagenet import MEAN, STD
from shortlib.models.unet import ENCODERS, NETWORKS, build_unet, image_scores, lesion_scores

# The step from the image to the encoder's last map, and that map's features.
LAST = {"unet-small": (16, 64), "unet-resnet18": (32, 512), "unet-seresnext50": (32, 2048)}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """Each network with two channels and three classes, built once."""
    torch.manual_seed(0)
    return request.param, build_unet(request.param, channels=2, classes=3).eval()


# Shapes


@pytest.mark.parametrize("times", [(3, 1), (2, 1), (1, 2)])  # odd and even multiples of the step
def test_each_pixel_has_a_logit_for_each_class(network, times):
    name, net = network
    step, features = LAST[name]
    images = torch.randn(2, 2, *(step * number for number in times))
    with torch.no_grad():
        logits, last = net.forward_with_features(images)
        assert torch.equal(net(images), logits)
        torch.testing.assert_close(net.embed(images), last.mean(dim=(2, 3)))
        maps = net.encoder(images)
    assert logits.shape == (2, 3, *images.shape[2:])
    assert last.shape == (2, features, *times)
    assert torch.equal(maps[0], images)
    for finer, coarser in pairwise(maps):
        assert [2 * side for side in coarser.shape[2:]] == list(finer.shape[2:])


def test_every_parameter_is_trained_by_the_pixels(network):
    _, net = network
    net.zero_grad()
    net(torch.randn(2, 2, 32, 32)).square().mean().backward()
    still = [
        key
        for key, value in net.named_parameters()
        if value.grad is None or not value.grad.abs().max() > 0
    ]
    assert still == []


def test_logits_are_float32_whatever_the_precision_inside(network):
    _, net = network
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits, last = net.forward_with_features(torch.randn(1, 2, 32, 32))
        embedding = net.embed(torch.randn(1, 2, 32, 32))
    assert last.dtype == torch.bfloat16  # it was in force
    assert logits.dtype == embedding.dtype == torch.float32


def test_images_of_a_batch_do_not_see_each_other_in_use(network):
    _, net = network
    images = torch.randn(3, 2, 32, 32)
    with torch.no_grad():
        together = net(images)
        alone = torch.cat([net(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


# The small network


@pytest.mark.parametrize("channels", [1, 3])
def test_the_small_encoder_is_the_body_of_cnn_small(channels):
    body = build_cnn("cnn-small", channels=channels).body.eval()
    encoder = build_unet("unet-small", channels=channels).encoder.eval()
    theirs, ours = list(body.state_dict().values()), encoder.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs]
    encoder.load_state_dict(dict(zip(ours, theirs, strict=True)))
    images = torch.rand(2, channels, 48, 64)
    with torch.no_grad():
        maps = encoder(images)
        assert torch.equal(maps[-1], body(images))
    assert [one.shape[1] for one in maps] == encoder.out_channels == [channels, 16, 32, 64, 64]


def test_the_small_networks_logits_are_doubled_from_half_of_the_size():
    torch.manual_seed(0)
    net, made = build_unet("unet-small").eval(), []
    net.decoder.register_forward_hook(lambda _, given, out: made.append(out))
    with torch.no_grad():
        logits = net(torch.rand(1, 1, 32, 48))
        half = net.head[0](made[0])
    assert half.shape == (1, 2, 16, 24)
    # Each second pixel of a bilinear doubling has 9/16 of its own cell and 3, 3 and 1 of others.
    due = (
        9 * half[..., 1:-1, 1:-1]
        + 3 * half[..., 2:, 1:-1]
        + 3 * half[..., 1:-1, 2:]
        + half[..., 2:, 2:]
    ) / 16
    torch.testing.assert_close(logits[..., 3:-2:2, 3:-2:2], due)


def test_the_decoder_takes_the_finer_maps_too():
    """Where the last map is silenced, the image still comes through the skips."""
    torch.manual_seed(0)
    net = build_unet("unet-small").eval()
    with torch.no_grad():
        net.encoder.blocks[-1][1].weight.zero_()  # the norm that ends the last block
        net.encoder.blocks[-1][1].bias.zero_()
        logits, last = net.forward_with_features(torch.rand(1, 1, 32, 32))
    assert last.abs().max() == 0
    assert logits.std(dim=(2, 3)).min() > 1e-3


# Published weights


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and a hub that nobody reaches."""

    def unreachable(*_, **__):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.file_download._get_metadata_or_catch_error", unreachable)
    return tmp_path


def put(cache, network, state):
    """Write a file of weights where the hub's client looks for it, under the hub's names."""
    source = encoders.encoders[ENCODERS[network]]["pretrained_settings"]["imagenet"]
    repository, revision = source["repo_id"], source["revision"]
    folder = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / revision
    folder.mkdir(parents=True)
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")


def elsewhere(network):
    """The same body as another package builds it, with norms that have seen something."""
    torch.manual_seed(1)
    if network == "unet-resnet18":
        net = resnet18(weights=None)
        net.fc = nn.Identity()
        body = nn.Sequential(*list(net.children())[:-2])
    else:
        net = timm.create_model("legacy_seresnext50_32x4d", pretrained=False)
        body = net.forward_features
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval(), body


@pytest.mark.parametrize("network", ENCODERS)
def test_the_features_are_those_of_another_packages_network(network, cache):
    net, body = elsewhere(network)
    heads = ("fc.", "last_linear.")
    put(cache, network, {k: v for k, v in net.state_dict().items() if not k.startswith(heads)})
    ours = build_unet(network, weights="imagenet").eval()
    images = torch.rand(2, 1, 32, 64)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    with torch.no_grad():
        logits, last = ours.forward_with_features(images)
        torch.testing.assert_close(last, body((images - mean) / std), rtol=1e-3, atol=1e-4)
        # Grey in three channels is grey in one.
        torch.testing.assert_close(ours(images.repeat(1, 3, 1, 1)), logits)
    assert logits.shape == (2, 2, 32, 64)
    assert not [name for name in ours.state_dict() if name.endswith((".mean", ".std"))]


@pytest.mark.parametrize("network", ENCODERS)
def test_without_the_hub_a_sentence_says_what_to_do(network, cache):
    with pytest.raises(ValueError, match=f"^the ImageNet weights of {network} .* are not") as found:
        build_unet(network, weights="imagenet")
    said = str(found.value)
    for part in (ENCODERS[network], "hub cannot be reached", "weights='random'"):
        assert part in said
    assert "\n" not in said


@pytest.mark.parametrize("network", ENCODERS)
def test_weights_of_something_else_are_called_so(network, cache):
    put(cache, network, {"conv1.weight": torch.zeros(2, 3)})
    with pytest.raises(ValueError, match="are damaged or not those of encoder") as found:
        build_unet(network, weights="imagenet")
    assert "\n" not in str(found.value)
    assert "hub cannot be reached" not in str(found.value)


# Arguments


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"network": "unet"}, "network must be one of unet-small, unet-resnet18, .* got 'unet'"),
        ({"weights": "none"}, "weights must be one of random, imagenet, got 'none'"),
        ({"classes": 1}, "classes must be at least 2, background among them, got 1"),
        ({"weights": "imagenet"}, "weights must be 'random' for unet-small, got 'imagenet'"),
        (
            {"network": "unet-resnet18", "channels": 2, "weights": "imagenet"},
            "channels must be 1 or 3 with weights='imagenet', got 2",
        ),
    ],
)
def test_a_wrong_argument_is_said(options, said):
    with pytest.raises(ValueError, match=said):
        build_unet(**{"network": "unet-small", **options})


@pytest.mark.parametrize("network", NETWORKS)
def test_without_the_package_a_sentence_says_how_to_have_it(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(
        ValueError, match=r"need the package segmentation-models-pytorch \(pip inst"
    ):
        build_unet(network)


# Scores


def test_a_score_is_the_mean_probability_of_the_last_class():
    torch.manual_seed(0)
    two = torch.randn(3, 2, 4, 5)
    due = torch.sigmoid(two[:, 1] - two[:, 0]).mean(dim=(1, 2))
    torch.testing.assert_close(image_scores(two), due)
    three = torch.tensor([0.5, 0.2, 0.3]).log()[None, :, None, None].expand(2, 3, 4, 4)
    torch.testing.assert_close(image_scores(three), torch.tensor([0.3, 0.3]))
    # Which of the other classes it is does not matter.
    assert torch.equal(image_scores(three), image_scores(three[:, [1, 0, 2]]))


def test_a_score_is_the_share_of_the_image_where_all_pixels_are_certain():
    positive = torch.zeros(4, 8, 8, dtype=bool)
    positive[1, :4], positive[2, 3, 3], positive[3] = True, True, True
    logits = torch.stack([torch.where(positive, -50.0, 50.0), torch.where(positive, 50.0, -50.0)])
    scores = image_scores(logits.movedim(0, 1))
    torch.testing.assert_close(scores, torch.tensor([0, 1 / 2, 1 / 64, 1]))


def test_a_lesions_score_is_its_last_class_in_what_is_found():
    torch.manual_seed(0)
    logits = torch.randn(4, 3, 5, 6)
    shares = logits.softmax(dim=1)
    due = shares[:, 2].sum(dim=(1, 2)) / (1 - shares[:, 0]).sum(dim=(1, 2))
    torch.testing.assert_close(lesion_scores(logits), due)
    # Where nothing is found at all it is what little is thought of.
    logits[:, 0] = 300.0
    due = logits[:, 2].exp().sum(dim=(1, 2)) / logits[:, 1:].exp().sum(dim=(1, 2, 3))
    torch.testing.assert_close(lesion_scores(logits), due, rtol=1e-4, atol=0)
    assert lesion_scores(logits.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("side", [1, 3, 8])
def test_a_lesions_score_does_not_grow_with_the_lesion(side):
    logits = torch.tensor([40.0, 0.0, 0.0])[None, :, None, None].repeat(1, 1, 8, 8)
    logits[0, :, :side, :side] = torch.tensor([-40.0, 0.0, 1.0])[:, None, None]
    due = torch.sigmoid(torch.tensor([1.0]))
    torch.testing.assert_close(lesion_scores(logits), due)
    torch.testing.assert_close(image_scores(logits), due * side**2 / 64)


def test_one_class_of_lesions_has_no_share_of_them():
    with pytest.raises(ValueError, match="2 classes are background and one of lesions"):
        lesion_scores(torch.zeros(1, 2, 4, 4))


def test_scores_see_no_constant_and_are_float32():
    logits = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(image_scores(logits + 7), image_scores(logits))
    half = logits.bfloat16()
    assert image_scores(half).dtype == torch.float32
    assert torch.equal(image_scores(half), image_scores(half.float()))
