"""A small network finds melanomas neither trivial nor hopeless, and by the lesion."""

from itertools import pairwise

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from shortlib.data.phantoms.skin import skin

FACTS = {"size": 64, "melanoma": 0.5}


def scaled(cohort):
    return (torch.from_numpy(cohort.images).float() / 255 - 0.6) / 0.2


def fitted(cohort, epochs):
    """Four convolutions with batch norm, trained from scratch on one thread."""
    torch.manual_seed(0)
    widths = (3, 16, 32, 64, 96)
    layers = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 1))
    images, labels = scaled(cohort), torch.from_numpy(cohort.labels).float()
    steps = len(images) // 32
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images))[: 32 * steps].view(steps, 32):
            batch = images[chosen]
            for axis in (2, 3):
                if torch.rand(()) < 0.5:
                    batch = batch.flip(axis)
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(batch)[:, 0], labels[chosen]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def scores(model, cohort):
    with torch.no_grad():
        return torch.cat([model(batch)[:, 0] for batch in scaled(cohort).split(100)]).numpy()


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_without_association_a_network_reads_the_lesion():
    model = fitted(skin(1000, association=0, **FACTS), 14)
    test = skin(300, part="test", association=0, **FACTS)
    plain = scores(model, test)
    assert 0.75 < roc_auc_score(test.labels, plain) < 0.97
    melanoma = test.labels == 1
    gap = plain[melanoma].mean() - plain[~melanoma].mean()
    for erase in ("cues", "lesion"):
        erased = scores(model, skin(300, part="test", association=0, erase=erase, **FACTS))
        assert roc_auc_score(test.labels, erased) < 0.62
        # A melanoma that is erased looks about as harmless as a mole, or more so.
        assert erased[melanoma].mean() < plain[melanoma].mean() - gap / 2


@pytest.mark.slow
def test_the_trap_catches_a_network():
    model = fitted(skin(600, association=1, **FACTS), 12)
    aligned, adversarial = (skin(250, part="test", association=dial, **FACTS) for dial in (1, -1))
    caught = roc_auc_score(aligned.labels, scores(model, aligned))
    turned = roc_auc_score(adversarial.labels, scores(model, adversarial))
    assert caught > 0.75
    assert turned < caught - 0.2
