"""A small network neither fails at the tasks nor finds them trivial, and it uses the finding."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from shortlib.data.phantoms.chest import Population, chest

TRAIN, TEST, SIZE, EPOCHS = 1300, 350, 64, 9
# No shortcut: tubes and ages have nothing to do with the class.
SETTINGS = {
    "findings": {},
    "pneumonia": {"population": Population(adult=0.8)},
    "pneumothorax": {"p_tube": {0: 0.25, 1: 0.25}, "findings": {"Pneumothorax": 0.5}},
}


class Small(nn.Module):
    """Four blocks of convolution, then the mean and the maximum of each channel."""

    def __init__(self, outputs):
        super().__init__()
        blocks, last = [], 1
        for width in (16, 32, 64, 64):
            blocks += [
                nn.Conv2d(last, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            last = width
        self.features, self.head = nn.Sequential(*blocks), nn.Linear(2 * last, outputs)

    def forward(self, images):
        maps = self.features(images)
        return self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))


def _targets(cohort):
    # One column of 0 and 1 for each finding that the task labels.
    if cohort.labels.ndim == 2:
        return cohort.labels
    names = np.array(cohort.label_names)[cohort.labels]
    return (names[:, None] == np.array(cohort.abnormality_names)).astype(float)


def _images(cohort):
    return torch.from_numpy(cohort.images).float() / 255 - 0.5


def _fit(cohort):
    torch.manual_seed(0)
    images, targets = _images(cohort), torch.from_numpy(_targets(cohort)).float()
    net = Small(targets.shape[1]).to(memory_format=torch.channels_last)
    steps = EPOCHS * (len(images) // 32)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images))[: len(images) // 32 * 32]
        for batch in order.split(32):
            moved = torch.roll(images[batch], tuple(torch.randint(-3, 4, (2,)).tolist()), (2, 3))
            moved = moved + 0.1 * torch.randn(len(batch), 1, 1, 1)
            scores = net(moved.contiguous(memory_format=torch.channels_last))
            loss = nn.functional.binary_cross_entropy_with_logits(scores, targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def _scores(net, cohort):
    return torch.cat([net(part) for part in _images(cohort).split(100)]).sigmoid().numpy()


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize("task", SETTINGS)
def test_tasks_are_neither_trivial_nor_hopeless(task, one_thread):
    settings = dict(task=task, size=SIZE, **SETTINGS[task])
    net = _fit(chest(TRAIN, seed=1, **settings))
    test = chest(TEST, seed=2, **settings)
    erased = chest(TEST, seed=2, erase=True, **settings)
    due, scores, without = _targets(test), _scores(net, test), _scores(net, erased)
    for place, name in enumerate(test.abnormality_names):
        ill = due[:, place] == 1
        auroc = roc_auc_score(ill, scores[:, place])
        assert 0.75 <= auroc <= 0.97, f"{name}: AUROC {auroc:.3f}"
        # Without the finding the network has nothing left to tell the ill from the well.
        left = roc_auc_score(ill, without[:, place])
        assert abs(left - 0.5) < 0.12, f"{name}: AUROC {left:.3f} with the finding erased"
        drop = scores[ill, place].mean() - without[ill, place].mean()
        # Erased, all cases of a task are healthy ones.
        gap = scores[ill, place].mean() - without[~ill, place].mean()
        assert drop > 0.6 * gap, f"{name}: erasing it costs {drop:.2f} of {gap:.2f}"
