import pytest
import torch

from shortlib.models.cnn import NETWORKS, TORCHVISION, build_cnn


@pytest.mark.parametrize("network", TORCHVISION)
def test_the_function_is_that_of_torchvisions_network(network):
    torch.manual_seed(0)
    ours = build_cnn(network, channels=3, outputs=4).eval()
    theirs = TORCHVISION[network](weights=None, num_classes=4).eval()
    # Both list their parameters from the input to the output.
    copied = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
    theirs.load_state_dict({name: value for (_, value), (name, _) in copied})
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_logits_are_linear_in_the_embedding(network, channels):
    net = build_cnn(network, channels=channels, outputs=5).eval()
    images = torch.randn(2, channels, 32, 48)
    with torch.no_grad():
        logits, embedding = net.forward_with_embedding(images)
        maps = net.body(images)
        f = maps.shape[1]
        torch.testing.assert_close(embedding[:, :f], maps.mean(dim=(2, 3)))
        if network == "cnn-small":
            torch.testing.assert_close(embedding[:, f:], maps.flatten(2).max(dim=2).values)
        else:
            assert embedding.shape == (2, f)
        torch.testing.assert_close(logits, net.head(embedding))
    assert logits.shape == (2, 5)


def test_an_unknown_network_is_named():
    with pytest.raises(
        ValueError, match=r"network must be one of cnn-small, resnet18, .* got 'vgg'"
    ):
        build_cnn("vgg")
