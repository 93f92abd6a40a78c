import pytest
import torch
from torchvision.models.segmentation import fcn_resnet50

from shortlib.models.fcn import NETWORKS, build_fcn


def test_fcn_resnet50_is_torchvisions():
    torch.manual_seed(0)
    ours = build_fcn("fcn-resnet50", channels=1).eval()
    theirs = fcn_resnet50(weights=None, weights_backbone=None, num_classes=1, aux_loss=False)
    theirs.backbone.conv1 = torch.nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    theirs.eval()

    def count(model):
        return sum(p.numel() for p in model.parameters())

    assert count(ours) == count(theirs)
    # Both list their parameters from the input to the output.
    copied = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
    theirs.load_state_dict({name: value for (_, value), (name, _) in copied})
    images = torch.randn(1, 1, 40, 40)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images)["out"][:, 0])


@pytest.mark.parametrize("network", NETWORKS[1:])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_logit_a_pixel_and_the_embedding_that_it_comes_from(network, channels):
    net = build_fcn(network, channels=channels).eval()
    images = torch.randn(2, channels, 24, 40)
    with torch.no_grad():
        logits, embedding = net.forward_with_embedding(images)
        torch.testing.assert_close(logits, net(images))
        features = net.backbone(images)
    assert logits.shape == (2, 24, 40)
    assert features.shape[2:] == (3, 5)  # an eighth
    assert embedding.shape == (2, features.shape[1] // 4)


def test_logits_are_float32_whatever_the_precision_inside():
    net = build_fcn("fcn-tiny").eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits, embedding = net.forward_with_embedding(torch.randn(1, 1, 16, 16))
    assert logits.dtype == embedding.dtype == torch.float32


def test_an_unknown_network_lists_those_there_are():
    with pytest.raises(ValueError, match=r"network must be one of fcn-resnet50, .*got 'unet'"):
        build_fcn("unet")
