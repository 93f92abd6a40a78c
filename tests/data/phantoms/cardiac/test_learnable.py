"""The classes can be learnt, not trivially, and from the heart."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from shortlib.data.phantoms.cardiac import cardiac

SIZE, TRAIN, TEST, EPOCHS, BATCH = 64, 480, 200, 10, 32


def network(classes):
    layers, channels = [], 2
    for width in (16, 32, 48, 64):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def inputs(cohort):
    return torch.from_numpy(cohort.images).float() / 127.5 - 1


def fit(cohort):
    torch.manual_seed(0)
    model = network(len(cohort.label_names)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    steps = EPOCHS * (len(cohort) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    images, labels = inputs(cohort), torch.from_numpy(cohort.labels)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(BATCH):
            shift = torch.randint(-3, 4, (2,)).tolist()
            scores = model(torch.roll(images[chosen], shift, (2, 3)))
            optimizer.zero_grad()
            nn.functional.cross_entropy(scores, labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def macro_auroc(model, cohort):
    with torch.no_grad():
        shares = torch.softmax(model(inputs(cohort)), 1).numpy()
    return np.mean(
        [roc_auc_score(cohort.labels == k, shares[:, k]) for k in range(shares.shape[1])]
    )


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize("classes", ["cm", "acdc"])
def test_a_small_network_reads_the_heart(classes, one_thread):
    model = fit(cardiac(TRAIN, size=SIZE, seed=1, classes=classes))
    assert 0.75 < macro_auroc(model, cardiac(TEST, size=SIZE, seed=2, classes=classes)) < 0.97
    erased = cardiac(TEST, size=SIZE, seed=2, classes=classes, erase=True)
    assert 0.4 < macro_auroc(model, erased) < 0.6


@pytest.mark.slow
def test_habitus_is_a_shortcut_when_it_is_associated(one_thread):
    """A network trained with the association loses when it is turned around."""
    model = fit(cardiac(TRAIN, size=SIZE, seed=1, habitus_association=1.0))
    scores = {
        association: macro_auroc(
            model, cardiac(TEST, size=SIZE, seed=2, habitus_association=association)
        )
        for association in (1.0, 0.0, -1.0)
    }
    assert scores[1.0] > scores[0.0] + 0.02
    assert scores[0.0] > scores[-1.0] + 0.05
