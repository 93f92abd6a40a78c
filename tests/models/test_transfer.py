"""The network of transfer learning, against Keras' own list of layers and a step of training."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision.models import mobilenet_v2

from shortlib.explain.grad_cam_maps import grad_cam_maps
from shortlib.models.cnn import CNN, build_cnn
from shortlib.models.transfer import build_transfer, keras_layers

# As tf.keras.applications.MobileNetV2 lists them: which block has what beside its convolutions.
KERAS_BLOCKS = """
block_1 pad
block_2 add
block_3 pad
block_4 add
block_5 add
block_6 pad
block_7 add
block_8 add
block_9 add
block_10 -
block_11 add
block_12 add
block_13 pad
block_14 add
block_15 add
block_16 -
"""
EXPAND = "{0}_expand {0}_expand_BN {0}_expand_relu"
DEPTHWISE = "{0}_depthwise {0}_depthwise_BN {0}_depthwise_relu"
PROJECT = "{0}_project {0}_project_BN"

# Of Keras' summary: trained parameters of the first 50 layers, convolutions and norms in turn.
FIRST_50 = """
864 64 288 64 512 32
1536 192 864 192 2304 48
3456 288 1296 288 3456 48
3456 288 1296 288 4608 64
6144 384 1728 384 6144 64
6144 384 1728 384
"""


def keras_names():
    names = ["input", "Conv1", "bn_Conv1", "Conv1_relu"]
    names += f"{DEPTHWISE} {PROJECT}".format("expanded_conv").split()
    for row in KERAS_BLOCKS.split("\n")[1:-1]:
        block, beside = row.split()
        pad = "{0}_pad" if beside == "pad" else ""
        add = "{0}_add" if beside == "add" else ""
        names += f"{EXPAND} {pad} {DEPTHWISE} {PROJECT} {add}".format(block).split()
    return [*names, "Conv_1", "Conv_1_bn", "out_relu"]


@pytest.fixture
def pretrained(monkeypatch):
    """Stand-ins for ImageNet's weights: norms that change what passes, and no hub."""

    def load(whole, network):
        for module in whole.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)

    monkeypatch.setattr("shortlib.models.cnn.load_imagenet", load)
    torch.manual_seed(0)


def frozen(n, **options):
    return build_transfer("mobilenet-v2", outputs=4, weights="imagenet", frozen_layers=n, **options)


def kept(model, kind):
    """Places in the body of the modules of a kind whose parameters are not trained."""
    return [
        name
        for name, module in model.body.named_modules()
        if isinstance(module, kind) and not any(p.requires_grad for p in module.parameters())
    ]


def test_the_layers_are_those_that_keras_lists():
    names = [name for name, _ in keras_layers(mobilenet_v2(weights=None).features)]
    assert names == keras_names()
    # By hand: 4 + 5, then 9 a block, and 8 where nothing is padded or added.
    assert len(names) == 9 + 14 * 9 + 2 * 8 + 3 == 154
    assert names[48:52] == [
        "block_5_depthwise",
        "block_5_depthwise_BN",
        "block_5_depthwise_relu",
        "block_5_project",
    ]
    assert names[153] == "out_relu"  # where the paper's code takes its maps


def test_each_layer_has_the_module_that_does_the_same():
    features = mobilenet_v2(weights=None).features
    layers = keras_layers(features)
    modules = {name: features.get_submodule(at) for name, at in layers if at is not None}
    padded = {name for name, _ in layers if name.endswith("_pad")}
    for name, module in modules.items():
        if name.endswith("relu"):
            assert isinstance(module, nn.ReLU6)
        elif name.endswith("_BN") or name in ("bn_Conv1", "Conv_1_bn"):
            assert isinstance(module, nn.BatchNorm2d)
        else:
            assert isinstance(module, nn.Conv2d)
            assert (module.groups > 1) == name.endswith("depthwise")
            halves = name == "Conv1" or name.replace("depthwise", "pad") in padded
            assert module.stride == ((2, 2) if halves else (1, 1))
    # Each part of the network is one layer, and they come in the order in which images pass.
    leaves = [name for name, module in features.named_modules() if not list(module.children())]
    assert [at for _, at in layers if at is not None] == leaves


def test_the_first_50_layers(pretrained):
    model = frozen(50)
    features = model.body[1]
    for place in range(6):
        assert not any(p.requires_grad for p in features[place].parameters())
    expand, depthwise, project, norm = features[6].conv
    for part in (expand, depthwise):
        assert not any(p.requires_grad for p in part.parameters())
    for part in (project, norm, *features[7:], model.head):
        assert all(p.requires_grad for p in part.parameters())
    pairs = [
        sum(p.numel() for p in module.parameters())
        for module in model.body.modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    due = [int(count) for count in FIRST_50.split()]
    assert pairs[: len(due)] == due
    total = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    assert total == sum(due)


@pytest.mark.parametrize(
    ("n", "convolutions", "norms"),
    [
        (0, 0, 0),
        (1, 0, 0),  # the input
        (2, 1, 0),
        (3, 1, 1),
        (12, 4, 4),  # up to block_1_expand_relu
        (13, 4, 4),  # block_1_pad
        (14, 5, 4),
        (49, 17, 16),  # the first 50 of the versions that pad before the first convolution
        (50, 17, 17),
        (51, 17, 17),  # an activation
        (52, 18, 17),
        (154, 52, 52),
    ],
)
def test_how_many_modules_are_frozen(pretrained, n, convolutions, norms):
    model = frozen(n)
    assert (len(kept(model, nn.Conv2d)), len(kept(model, nn.BatchNorm2d))) == (convolutions, norms)
    still = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d) and not m.training]
    assert len(still) == norms
    assert all(p.requires_grad for p in model.head.parameters())


def test_a_training_step_moves_what_is_not_frozen_alone(pretrained):
    model = frozen(50, channels=3, dropout=0.0)
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=0.1)
    model.eval().train()
    images, labels = torch.rand(6, 3, 64, 64), torch.tensor([0, 1, 2, 3, 0, 1])
    cross_entropy(model(images), labels).backward()
    optimizer.step()
    still = set()
    for place in range(7):
        for name in model.body[1][place].state_dict():
            if place < 6 or name.startswith(("conv.0.", "conv.1.")):
                still.add(f"body.1.{place}.{name}")
    after = model.state_dict()
    assert len(still) == 17 + 17 * 5  # a weight; weight, bias, mean, variance and count
    assert still == {name for name in before if torch.equal(before[name], after[name])}


def test_frozen_norms_do_not_see_the_batch(pretrained):
    model, images = frozen(50), torch.rand(6, 1, 64, 64)
    first, second = images[:3], torch.cat([images[:1], images[3:5]])  # one image in two batches
    stem = nn.Sequential(model.body[0], model.body[1][:6])
    rest = model.body[1][6:]
    with torch.no_grad():
        model.train()
        one, other = stem(first), stem(second)
        torch.testing.assert_close(one[0], other[0])
        assert (rest(one)[0] - rest(other)[0]).abs().max() > 1e-2  # those that are trained do
        model.eval()
        torch.testing.assert_close(one, stem(first))


def test_without_frozen_layers_it_is_the_body_of_build_cnn():
    for network in ("cnn-small", "mobilenet-v2", "densenet121"):
        torch.manual_seed(1)
        plain = build_cnn(network, channels=2).eval()
        torch.manual_seed(1)
        model = build_transfer(network, outputs=3, channels=2)
        assert isinstance(model, CNN)
        assert all(p.requires_grad for p in model.parameters())
        assert all(module.training for module in model.modules())
        images = torch.rand(2, 2, 64, 64)
        with torch.no_grad():
            logits, embedding = model.eval().forward_with_embedding(images)
            torch.testing.assert_close(embedding, plain.forward_with_embedding(images)[1])
        assert logits.shape == (2, 3)
        assert (model.head.in_features, model.head.out_features) == (embedding.shape[1], 3)


def test_the_head_is_linear_relu_linear():
    model = build_transfer("cnn-small", outputs=3, hidden=5).eval()
    weights = dict(model.head.named_parameters())
    (w1, b1, w2, b2), embedding = weights.values(), torch.randn(4, 128)
    assert w1.shape == (5, 128)
    assert w2.shape == (3, 5)
    due = (embedding @ w1.T + b1).clamp(min=0) @ w2.T + b2
    torch.testing.assert_close(model.head(embedding), due)


def test_a_training_step_leaves_out_a_share_of_the_hidden_units():
    torch.manual_seed(0)
    for share in (0.5, 0.2):
        head = build_transfer("cnn-small", outputs=2, hidden=2000, dropout=share).head.train()
        with torch.no_grad():
            head[0].bias.fill_(9.0)  # every unit is on
            head[3].weight.fill_(1.0)
            embedding = torch.zeros(8, 128)
            hidden = []
            head[3].register_forward_pre_hook(lambda _, given, to=hidden: to.append(given[0]))
            head(embedding)
        assert (hidden[0] == 0).float().mean() == pytest.approx(share, abs=0.02)
        assert hidden[0].max() == pytest.approx(9 / (1 - share))


def test_the_activation_leaves_what_it_was_given():
    head, seen = build_transfer("cnn-small", outputs=2).head, []
    head[0].register_forward_hook(lambda _, given, made: seen.append(made))
    with torch.no_grad():
        head(torch.randn(8, 128))
    assert (seen[0] < 0).any()


def test_gradients_of_gradients_reach_what_is_trained(pretrained):
    model = frozen(50).eval()
    features = model.body(torch.rand(2, 1, 64, 64))
    logits = model.head(features.mean(dim=(2, 3)))
    slopes = torch.autograd.grad(logits[:, 1].sum(), features, create_graph=True)[0]
    (slopes.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1).square().mean().backward()
    parts = model.body[1][17].conv[2].weight, model.body[1][6].conv[2].weight, model.head[0].weight
    assert all(part.grad.abs().max() > 0 for part in parts)
    assert model.body[1][0][0].weight.grad is None


def test_maps_leave_it_frozen(pretrained):
    model = frozen(50).train()
    names, modes = kept(model, nn.Conv2d), [module.training for module in model.modules()]
    images = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8).numpy()
    assert grad_cam_maps(model, images, targets=[3, 0]).shape == (2, 1, 64, 64)
    assert kept(model, nn.Conv2d) == names
    assert [module.training for module in model.modules()] == modes


def test_a_copy_is_frozen_on_its_own(pretrained):
    model = frozen(3)
    copied = copy.deepcopy(model).train()
    assert not copied.body[1][0][1].training
    assert copied.body[1][1].conv[0][1].training
    copied.body[1][0][1].running_mean.zero_()
    assert model.body[1][0][1].running_mean.abs().max() > 0


def test_wrong_arguments(pretrained):
    for network in ("cnn-small", "resnet18"):
        with pytest.raises(ValueError, match=f"frozen_layers must be 0 for {network}, got 50"):
            build_transfer(network, outputs=4, frozen_layers=50)
    with pytest.raises(ValueError, match="frozen_layers must be 0 with weights='random', got 50"):
        build_transfer("mobilenet-v2", outputs=4, frozen_layers=50)
    for n in (-1, 155):
        with pytest.raises(ValueError, match=f"frozen_layers must be from 0 to 154, got {n}"):
            frozen(n)
    with pytest.raises(ValueError, match="outputs must be at least 1, got 0"):
        build_transfer("cnn-small", outputs=0)
    with pytest.raises(ValueError, match="hidden must be at least 1, got 0"):
        build_transfer("cnn-small", outputs=4, hidden=0)
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"dropout must be from 0 .* got {share}"):
            build_transfer("cnn-small", outputs=4, dropout=share)
    with pytest.raises(ValueError, match=r"network must be one of .* got 'vgg'"):
        build_transfer("vgg", outputs=4)
