"""Time a CLIP training step fed by batched augmentation against per-image transforms.

Run from the checkout, some minutes on two cores::

    python benchmarks/clip_step.py

A step makes two random views of 32 uint8 images in memory, burns letters into them, and
is forward, backward and Adam of a small CLIP, on one thread of a CPU or on a GPU. Ours
has the memory layout that the compute policy chooses, the peer the plain one. Ours
changes the whole batch in the training process, on its device; the peer has torchvision's
transforms of one image, on tensors or on Pillow images, in a ``DataLoader`` with two
workers. Both interpolate linearly, and blur and letters scale with the side.
Sides take turns, A B A B, so that other work on the machine bears on all; ratios are of
turns beside each other, and their median is printed: of the clock of the wall, from the
first batch on, and of processor seconds of all processes, which is what counts where fits
run side by side. `feed` is the processor time of the views alone.
"""

import argparse
import resource
import statistics
import time

import numpy as np
import torch
import torchvision
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from shortlib.methods.augmentation import build_augmentation
from shortlib.methods.clip import CLIP, clip_loss
from shortlib.methods.compute import Compute, as_float, choose_compute
from shortlib.models.cnn import build_cnn
from shortlib.models.text import build_text_encoder
from shortlib.models.vocabulary import Words, train_wordpiece
from shortlib.shortcuts.watermark import Watermark

BATCH, TOKENS = 32, 40
WATERMARK = Watermark()
PEERS = ("tensor", "pillow")


def settings_of(side):
    """Return the paper's augmentation at a side: the share of 224 px, the kernel's pixels."""
    return side / 224, 2 * round(7 * side / 224) + 1


class Views(Dataset):
    """Two views of each image, as torchvision's transforms make them one by one."""

    def __init__(self, images, carries, side, peer):
        self.images, self.carries, self.side, self.peer = images, carries, side, peer
        share, kernel = settings_of(side)
        linear = transforms.InterpolationMode.BILINEAR
        to_float = transforms.ConvertImageDtype(torch.float32)
        self.change = transforms.Compose(
            [
                *([transforms.ToPILImage()] if peer == "pillow" else [to_float]),
                transforms.RandomResizedCrop(side, (0.6, 1.0), antialias=peer == "pillow"),
                transforms.RandomHorizontalFlip(),
                transforms.RandomAffine(20, (0.1, 0.1), (0.95, 1.05), interpolation=linear),
                transforms.ColorJitter(0.4, 0.4),
                *([transforms.ToTensor()] if peer == "pillow" else []),
                transforms.GaussianBlur(kernel, (0.1 * share, 3 * share)),
            ]
        )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        views = torch.stack([self.change(self.images[i]) for _ in range(2)])
        return marked(views, np.repeat(self.carries[i][None], 2, axis=0), i)


def marked(views, carries, seed):
    """Burn the letters into the views."""
    offsets = WATERMARK.offsets(len(views), views.shape[-1], np.random.default_rng(seed))
    return WATERMARK.draw(views, carries, offsets)[0]


def batched(images, carries, side, device):
    """Yield batches of two views, made by our augmentation."""
    share, kernel = settings_of(side)
    augment = build_augmentation(
        crop=(0.6, 1.0),
        side=side,
        horizontal_flip=0.5,
        degrees=20,
        translate=0.1,
        scale=(0.95, 1.05),
        brightness=0.4,
        contrast=0.4,
        blur=(0.1 * share, 3 * share),
        kernel=kernel,
    )
    for first in range(0, len(images), BATCH):
        batch = as_float(images[first : first + BATCH].to(device))
        views = torch.cat([augment(batch), augment(batch)])
        yield marked(views, np.tile(carries[first : first + BATCH], (2, 1)), first)


def one_by_one(images, carries, side, peer):
    """Yield the same from a loader with two workers."""
    loader = DataLoader(Views(images, carries, side, peer), BATCH, num_workers=2)
    for views in loader:
        yield views.transpose(0, 1).flatten(0, 1)


def stepper(compute, seed=0):
    """Return a function that takes a training step on a batch of two views."""
    torch.manual_seed(seed)
    tokenizer = train_wordpiece(["No focal consolidation.", "Small left pleural effusion."])
    encoder, _ = build_text_encoder("bert-small", tokenizer=tokenizer)
    model = compute.place(CLIP(build_cnn("cnn-small"), encoder)).train()
    ids = torch.randint(tokenizer.get_vocab_size(), (BATCH, TOKENS))
    words = Words(ids, torch.ones_like(ids)).to(compute.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step(views):
        first, second = model.embed_images(compute.place(views)).chunk(2)
        loss = clip_loss(first, second, model.embed_texts(words), model.logit_scale.exp())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device

    return step


def processor_seconds():
    """Return the seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def timed(batches, step, n_batches):
    """Return wall and processor seconds a step; the wall's from the second step on."""
    before = processor_seconds()
    for k, views in enumerate(batches):
        if k == 1:
            start = time.perf_counter()
        step(views)
    wall = (time.perf_counter() - start) / (n_batches - 1)
    batches.close()  # its workers end, and their seconds count
    return wall, (processor_seconds() - before) / n_batches


def compare(side, n_batches, turns, device):
    """Print the median seconds of all sides and the median ratios to ours."""
    rng = np.random.default_rng(0)
    stored, n = round(side * 256 / 224), n_batches * BATCH
    images = torch.from_numpy(rng.integers(0, 256, (n, 1, stored, stored), dtype=np.uint8))
    carries = rng.random((n, len(WATERMARK.symbols))) < 0.3
    sides = {"shortlib": lambda: batched(images, carries, side, device)}
    sides |= {peer: lambda peer=peer: one_by_one(images, carries, side, peer) for peer in PEERS}
    plain = Compute(device, "float32", channels_last=False)
    steps = {name: stepper(plain) for name in PEERS}
    steps["shortlib"] = stepper(choose_compute(device, "cnn-small"))
    rows = {name: [] for name in sides}
    for _ in range(turns):
        for name, batches in sides.items():
            _, feed = timed(batches(), lambda views: None, n_batches)
            rows[name].append((*timed(batches(), steps[name], n_batches), feed))
    for name, found in rows.items():
        seconds = [statistics.median(column) for column in zip(*found, strict=True)]
        pairs = list(zip(found, rows["shortlib"], strict=True))
        ratios = [statistics.median(a[k] / b[k] for a, b in pairs) for k in range(3)]
        numbers = "".join(
            f"{1000 * s:11.1f} {r:6.2f}x" for s, r in zip(seconds, ratios, strict=True)
        )
        print(f"{side:5} {name:>9}{numbers}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[56, 84, 224])
    parser.add_argument("--batches", type=int, default=8, help="steps in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}")
    print(f"batch {BATCH}, {arguments.device}")
    print("milliseconds a step, and how many times ours")
    print(f"{'px':>5} {'fed by':>9}{'wall':>11}{'processor':>19}{'feed':>19}")
    with Compute(arguments.device, "float32", channels_last=False, threads=1).active():
        for side in arguments.sides:
            compare(side, arguments.batches, arguments.turns, arguments.device)


if __name__ == "__main__":
    main()
