"""Time integrated gradients of many images against captum on one image after the other.

Run from the checkout, about two minutes on two cores::

    python benchmarks/integrated_gradients.py

Both sides explain the same outputs of the same network with the same points on the line,
captum in the plain memory layout, ours in the one that the compute policy chooses;
with SmoothGrad captum averages over the very copies that ours draws. Of several outputs
captum explains one after the other, ours all from one forward pass. The largest
difference of the maps is printed beside the ratio, as a share of the largest value of all
maps; it is rounding, except where rounding switches a unit that is all but zero on or off
(up to 2e-3 for ResNet-18 with noise, 2e-8 when all is done in float64). Sides take turns,
A B A B, so that other work on the machine bears on both; ratios are of turns beside each
other, by the clock of the wall, and their median is printed.
"""

import argparse
import statistics
import time
from copy import deepcopy

import captum
import numpy as np
import torch
from captum.attr import IntegratedGradients

from shortlib.explain.integrated_gradients import integrated_gradients
from shortlib.methods.compute import choose_compute
from shortlib.models.cnn import build_cnn

CASES = (("cnn-small", 56), ("resnet18", 64))
WAYS = ((1, 1), (5, 1), (1, 5))  # noisy copies, outputs
NOISE = 0.15


def one_by_one(model, images, outputs, steps, samples, seed):
    """Explain each output of each image alone, and average over the image's noisy copies."""
    explainer = IntegratedGradients(model)
    maps = []
    for i, image in enumerate(images):
        copies = image[None]
        if samples > 1:
            rng = np.random.default_rng([seed, i])
            drawn = rng.standard_normal((samples, *image.shape), dtype=np.float32)
            copies = image + torch.from_numpy(drawn) * NOISE * (image.max() - image.min())
        for k in range(outputs):
            options = {"target": k, "n_steps": steps, "method": "riemann_middle"}
            found = [explainer.attribute(copy[None], **options) for copy in copies]
            maps.append(torch.cat(found).mean(dim=0).detach())
    return torch.stack(maps).reshape(len(images), outputs, *images.shape[1:]).numpy()


def compare(network, side, arguments, samples, outputs, seed=0):
    """Return median seconds of both sides, the median ratio and the maps' difference."""
    torch.manual_seed(seed)
    model = build_cnn(network, outputs=5)
    images = torch.rand(arguments.images, 1, side, side)
    model.train()(images)  # so that batch norm has statistics of its own
    model.eval()
    placed = choose_compute("cpu", network).place(deepcopy(model))
    steps, noise = arguments.steps, NOISE if samples > 1 else 0.0
    options = {"steps": steps, "samples": samples, "noise": noise, "seed": seed}

    def ours():
        found = integrated_gradients(
            lambda x, _: placed(x)[:, :outputs], images, batch_size=arguments.batch_size, **options
        )
        return found.maps

    def theirs():
        return one_by_one(model, images, outputs, steps, samples, seed)

    pairs = [(_timed(theirs), _timed(ours)) for _ in range(arguments.turns)]
    slow, fast = ([seconds for seconds, _ in turns] for turns in zip(*pairs, strict=True))
    (_, expected), (_, found) = pairs[0]
    difference = np.abs(expected - found).max() / np.abs(expected).max()
    ratio = statistics.median(a / b for a, b in zip(slow, fast, strict=True))
    return statistics.median(slow), statistics.median(fast), ratio, difference


def _timed(function):
    start = time.perf_counter()
    maps = function()
    return time.perf_counter() - start, maps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, captum {captum.__version__}, {arguments.steps} steps")
    print("seconds an image")
    print("network     px  threads  copies  outputs   captum  shortlib  ratio  difference")
    for network, side in CASES:
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            for samples, outputs in WAYS:
                slow, fast, ratio, difference = compare(network, side, arguments, samples, outputs)
                print(
                    f"{network:10} {side:3} {threads:8} {samples:7} {outputs:8} "
                    f"{slow / arguments.images:8.4f} {fast / arguments.images:9.4f} "
                    f"{ratio:5.2f}x {difference:11.1e}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
