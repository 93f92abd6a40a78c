"""Time a step of contrastive pre-training against lightly's modules and transforms.

Run from the checkout, some minutes on two cores::

    python benchmarks/contrastive_step.py

A step makes two random views of 64 uint8 images in memory (crop, both flips, turn,
contrast) and is forward, backward and Adam of the method, on one thread of a CPU or on a
GPU. Ours changes the whole batch in the training process, on its device, in the memory
layout that the compute policy chooses. The peer is lightly as its guide puts it together:
the transform of the method on Pillow images (on tensors it takes twice as long) in a
``DataLoader`` with two workers, then lightly's heads, loss, memory bank and moving average
around the same encoder, in the plain layout. lightly turns to the nearest pixel, ours
linearly. `bare` is the encoder alone in our layout: the passes that the method needs, with
and without gradient, and Adam, on views that are ready.

Sides take turns, A B A B, so that other work on the machine bears on all; ratios are to
ours in the same turn, and their median is printed: of the clock of the wall, from the
second batch on, and of processor seconds of all processes, which is what counts where fits
run side by side. `feed` is the processor time of the views alone.
"""

import argparse
import statistics
import time
from copy import deepcopy

import lightly
import numpy as np
import torch
import torchvision
from clip_step import processor_seconds
from lightly import loss, transforms
from lightly.models import utils
from lightly.models.modules import heads
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.compute import Compute, as_float, choose_compute
from shortlib.methods.contrastive_training import METHODS
from shortlib.models.cnn import build_cnn

CROP, DEGREES, CONTRAST = (0.3, 1.0), 20, 0.3
WIDTH, QUEUE, HIDDEN = 128, 1024, 4096


class Views(Dataset):
    """Two views of each image, as lightly's transform makes them one by one."""

    def __init__(self, images, method):
        self.images, side = images, images.shape[-1]
        options = {
            "input_size": side,
            "min_scale": CROP[0],
            "vf_prob": 0.5,
            "rr_prob": 1.0,
            "rr_degrees": DEGREES,
            "cj_prob": 1.0,
            "cj_strength": 1.0,
            "cj_bright": 0.0,
            "cj_contrast": CONTRAST,
            "cj_sat": 0.0,
            "cj_hue": 0.0,
            "random_gray_scale": 0.0,
            "gaussian_blur": 0.0,
            "normalize": None,
        }
        if method == "byol":
            first = transforms.BYOLView1Transform(**options)
            second = transforms.BYOLView2Transform(**options, solarization_prob=0.0)
            self.change = transforms.BYOLTransform(first, second)
        else:
            kind = {"simclr": transforms.SimCLRTransform, "moco": transforms.MoCoV2Transform}
            self.change = kind[method](**options)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.change(Image.fromarray(self.images[i, 0].numpy()))


def batched(images, batch, device):
    """Yield pairs of views, made by our augmentation."""
    augment = build_augmentation(
        crop=CROP, horizontal_flip=0.5, vertical_flip=0.5, degrees=DEGREES, contrast=CONTRAST
    )
    for part in images.split(batch):
        changed = as_float(part.to(device))
        yield augment(changed), augment(changed)


def ready(images, batch, device):
    """Yield the same pair of views again and again."""
    views = as_float(images[:batch].to(device))
    for _ in images.split(batch):
        yield views, views


class Features(nn.Module):
    """The encoder as lightly takes it."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, images):
        """Return the pooled features."""
        return self.encoder.forward_with_embedding(images)[1]


def ours(method, encoder):
    """Return our model, its loss of two views, and what follows a step."""
    options = {"byol": {"hidden": HIDDEN, "width": WIDTH}, "moco": {"queue": QUEUE}}
    model = METHODS[method](encoder, **options.get(method, {}))
    return model, model.loss, model.after_step


def peer(method, encoder):
    """Return the same made of lightly's modules."""
    f = encoder.head.in_features
    backbone = Features(encoder)
    if method == "simclr":
        model = nn.Sequential(backbone, heads.SimCLRProjectionHead(f, f, WIDTH))
        criterion = loss.NTXentLoss(0.1)
        return model, lambda a, b: criterion(model(a), model(b)), lambda: None
    if method == "moco":
        model = nn.Sequential(backbone, heads.MoCoProjectionHead(f, f, WIDTH))
        criterion = loss.NTXentLoss(0.07, memory_bank_size=(QUEUE, WIDTH))
    else:
        model = nn.Sequential(backbone, heads.BYOLProjectionHead(f, HIDDEN, WIDTH))
        predictor = heads.BYOLPredictionHead(WIDTH, HIDDEN, WIDTH)
        criterion = loss.NegativeCosineSimilarity()
    slow = deepcopy(model)
    utils.deactivate_requires_grad(slow)

    def both(a, b):
        with torch.no_grad():
            targets = slow(a) if method == "byol" else None, slow(b)
        if method == "moco":
            return criterion(model(a), targets[1])
        predicted = predictor(model(a)), predictor(model(b))
        return (criterion(predicted[0], targets[1]) + criterion(predicted[1], targets[0])) / 2

    whole = nn.ModuleList([model, slow, criterion, *([predictor] if method == "byol" else [])])
    momentum = 0.99 if method == "byol" else 0.999
    return whole, both, lambda: utils.update_momentum(model, slow, momentum)


def bare(method, encoder):
    """Return the encoder and the passes that the method makes through it."""
    backbone = Features(encoder)

    def passes(a, b):
        if method != "simclr":
            with torch.no_grad():
                for views in (a, b) if method == "byol" else (b,):
                    backbone(views)
        if method == "moco":
            return backbone(a).mean()
        return (backbone(a) + backbone(b)).mean()

    return backbone, passes, lambda: None


def stepper(build, method, network, compute):
    """Return a function that takes a training step on two views."""
    torch.manual_seed(0)
    model, loss_of, after_step = build(method, build_cnn(network))
    # The closures hold the modules, which move in place.
    compute.place(model).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-3, fused=True)

    def step(views):
        with compute.autocast():
            value = loss_of(*(compute.place(view) for view in views))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        after_step()
        value.item()  # waits for the device

    return step


def timed(batches, step, n_batches):
    """Return wall and processor seconds a step; the wall's from the second step on."""
    before = processor_seconds()
    for k, views in enumerate(batches):
        if k == 1:
            start = time.perf_counter()
        step(views)
    wall = (time.perf_counter() - start) / (n_batches - 1)
    del batches  # its workers end, and their seconds count
    return wall, (processor_seconds() - before) / n_batches


def compare(method, network, side, arguments):
    """Print the median seconds of all sides and the median ratios to ours."""
    batch, n_batches, device = arguments.batch, arguments.batches, arguments.device
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (batch * n_batches, 1, side, side), dtype=np.uint8)
    images = torch.from_numpy(stored)
    chosen = choose_compute(device, network, threads=arguments.threads)
    plain = Compute(device, "float32", channels_last=False, threads=arguments.threads)
    views = Views(images, method)
    sides = {
        "shortlib": (lambda: batched(images, batch, device), ours, chosen),
        "lightly": (lambda: iter(DataLoader(views, batch, num_workers=2)), peer, plain),
        "bare": (lambda: ready(images, batch, device), bare, chosen),
    }
    steps = {name: stepper(side[1], method, network, side[2]) for name, side in sides.items()}
    rows = {name: [] for name in sides}
    for turn in range(arguments.turns + 1):
        for name, (batches, _, _) in sides.items():
            _, feed = timed(batches(), lambda views: None, n_batches)
            row = (*timed(batches(), steps[name], n_batches), feed)
            if turn:  # the first warms up
                rows[name].append(row)
    for name, found in rows.items():
        seconds = [statistics.median(column) for column in zip(*found, strict=True)]
        pairs = list(zip(found, rows["shortlib"], strict=True))
        ratios = [statistics.median(a[k] / b[k] for a, b in pairs) for k in range(3)]
        numbers = "".join(
            f"{1000 * s:11.1f} {r:6.2f}x" for s, r in zip(seconds, ratios, strict=True)
        )
        print(f"{network:>12} {side:4} {method:>7} {name:>9}{numbers}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["cnn-small", "resnet18"])
    parser.add_argument("--sides", type=int, nargs="+", default=[64])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--batch", type=int, default=64, help="images in a step")
    parser.add_argument("--batches", type=int, default=6, help="steps in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    releases = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    print(f"{releases}, lightly {lightly.__version__}")
    print(f"batch {arguments.batch}, {arguments.device}, threads {arguments.threads}")
    print("milliseconds a step, and how many times ours")
    print(f"{'network':>12} {'px':>4} {'method':>7} {'':>9}", end="")
    print(f"{'wall':>11}{'processor':>19}{'feed':>19}")
    fixed = Compute(arguments.device, "float32", channels_last=False, threads=arguments.threads)
    with fixed.active():
        for network in arguments.networks:
            for side in arguments.sides:
                for method in arguments.methods:
                    compare(method, network, side, arguments)


if __name__ == "__main__":
    main()
