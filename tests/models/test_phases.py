import numpy as np
import pytest
import torch

from shortlib.methods.compute import choose_compute
from shortlib.methods.erm import predict_erm
from shortlib.models.cnn import build_cnn
from shortlib.models.phases import build_phase_network


@pytest.fixture(params=["cnn-small", "resnet18"])
def network(request):
    torch.manual_seed(0)
    return request.param


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_each_phase_is_embedded_by_itself_and_the_head_sees_them_side_by_side(network, phases):
    model = build_phase_network(network, phases=phases, outputs=4).eval()
    images = torch.rand(3, phases, 64, 48)
    with torch.no_grad():
        logits, embedding = model.forward_with_embedding(images)
        for case in range(3):
            each = []
            for phase in range(phases):
                one = images[case : case + 1, phase : phase + 1]
                maps = model.encoder.body(one)
                pooled = [maps.mean(dim=(2, 3))]
                pooled += [maps.amax(dim=(2, 3))] if network == "cnn-small" else []
                each.append(torch.cat(pooled, dim=1)[0])
            due = torch.cat(each)
            torch.testing.assert_close(embedding[case], due, rtol=1e-4, atol=1e-5)
            scores = model.head.weight @ due + model.head.bias
            torch.testing.assert_close(logits[case], scores, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model(images), logits)
    assert logits.dtype == embedding.dtype == torch.float32


def test_phases_share_a_batch_in_training(network):
    model = build_phase_network(network, outputs=4)
    images = torch.rand(4, 2, 64, 64)
    _, embedding = model.train().forward_with_embedding(images)
    each = torch.stack([images[i, p] for i in range(4) for p in range(2)])[:, None]
    together = model.encoder.forward_with_embedding(each)[1]
    due = torch.stack([torch.cat([together[2 * i], together[2 * i + 1]]) for i in range(4)])
    torch.testing.assert_close(embedding, due)


def test_no_weight_is_dead(network):
    model = build_phase_network(network, outputs=4)
    model(torch.rand(4, 2, 64, 64)).square().sum().backward()
    assert all(w.grad is not None for w in model.parameters())
    body, head = (sum(p.numel() for p in m.parameters()) for m in (model.encoder.body, model.head))
    assert sum(w.numel() for w in model.parameters()) == body + head


def test_a_trained_encoder_is_copied(network):
    trained = build_cnn(network, channels=1)
    with torch.no_grad():
        trained(torch.rand(8, 1, 64, 64))  # batch norm has seen something
    kept = {name: value.clone() for name, value in trained.state_dict().items()}
    model = build_phase_network(network, outputs=3, encoder=trained)
    torch.testing.assert_close(
        model.encoder.body.state_dict(), trained.body.state_dict(), rtol=0, atol=0
    )
    images = torch.rand(2, 2, 64, 64)
    with torch.no_grad():
        embedding = model.eval().forward_with_embedding(images)[1]
        due = trained.eval().forward_with_embedding(images.reshape(4, 1, 64, 64))[1].reshape(2, -1)
        torch.testing.assert_close(embedding, due)
        for weight in model.parameters():
            weight.zero_()
    torch.testing.assert_close(trained.state_dict(), kept, rtol=0, atol=0)
    again = build_phase_network(network, outputs=3, encoder=model.encoder)  # one without a head
    assert again.head.in_features == model.head.in_features


def test_the_weights_follow_the_seed():
    def drawn(seed):
        torch.manual_seed(seed)
        return build_phase_network("cnn-small", outputs=3).state_dict()

    torch.testing.assert_close(drawn(1), drawn(1), rtol=0, atol=0)
    assert (drawn(1)["head.weight"] != drawn(2)["head.weight"]).any()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_it_is_predicted_as_other_networks_are(network, kind):
    model = build_phase_network(network, outputs=4)
    images = (np.random.default_rng(0).random((5, 2, 64, 64)) * 255).astype(kind)
    logits, embedding = predict_erm(model, images, choose_compute("cpu", network), batch_size=2)
    assert logits.shape == (5, 4)
    assert embedding.shape == (5, model.head.in_features)
    with torch.no_grad():
        scores = model.head(torch.from_numpy(embedding)).numpy()
    np.testing.assert_allclose(logits, scores, rtol=0.05, atol=0.05)  # bfloat16 where it pays


def test_logits_are_float32_under_autocast():
    model = build_phase_network("cnn-small", outputs=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, embedding = model.forward_with_embedding(torch.rand(4, 2, 64, 64))
    assert logits.dtype == embedding.dtype == torch.float32


def test_what_does_not_fit_is_said():
    model = build_phase_network("cnn-small", outputs=4)
    with pytest.raises(ValueError, match="images must have 2 phases, got 3"):
        model(torch.rand(1, 3, 64, 64))
    with pytest.raises(ValueError, match="phases must be at least 1, got 0"):
        build_phase_network("cnn-small", phases=0, outputs=4)
    with pytest.raises(ValueError, match=r"encoder must be a cnn-small, which makes 128 .* 512"):
        build_phase_network("cnn-small", outputs=4, encoder=build_cnn("resnet18"))
    with pytest.raises(ValueError, match="network must be one of"):
        build_phase_network("vgg", outputs=4)
