"""Time a training step of a U-Net as the compute policy chooses it against plain float32.

Run from the checkout, some minutes on one core::

    python benchmarks/pixel_step.py

A step is forward, the mean cross-entropy over pixels, backward and Adam, of the networks and
sides of the study of spatial specificity, on data that are already on the device. Plain is float32
in contiguous layout; the policy is bfloat16, where the machine has instructions for it, with
channels last. Both sides take turns, A B A B, so that other work on the machine bears on both;
ratios are of turns beside each other, and their median is printed: by the clock of the wall and,
on a CPU, by processor seconds, which is what counts where other work shares the cores.
"""

import argparse
import statistics
import time

import torch
from torch.nn.functional import cross_entropy

from shortlib.methods.compute import Compute, choose_compute
from shortlib.models.unet import build_unet

# Network, side in pixels, images in a batch.
CASES = (
    ("unet-small", 64, 16),
    ("unet-small", 96, 16),
    ("unet-resnet18", 128, 16),
    ("unet-seresnext50", 128, 16),
)


def stepper(network, side, batch_size, compute):
    """Return a function that takes one training step; returns its wall and processor seconds."""
    torch.manual_seed(0)
    model = compute.place(build_unet(network)).train()
    images = compute.place(torch.rand(batch_size, 1, side, side))
    targets = (torch.rand(batch_size, side, side) < 0.1).long().to(compute.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step():
        wall, processor = time.perf_counter(), time.process_time()
        with compute.autocast():
            loss = cross_entropy(model(images), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()
        if compute.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - wall, time.process_time() - processor

    return step


def compare(network, side, batch_size, chosen, turns):
    """Return, by clock, the median seconds of both sides and the median of their ratios."""
    plain = Compute(chosen.device, "float32", channels_last=False, threads=chosen.threads)
    a, b = (stepper(network, side, batch_size, compute) for compute in (plain, chosen))
    with chosen.active():
        a(), b()  # warm up
        pairs = [(a(), b()) for _ in range(turns)]
    return [
        (
            statistics.median(one[clock] for one, _ in pairs),
            statistics.median(other[clock] for _, other in pairs),
            statistics.median(one[clock] / other[clock] for one, other in pairs),
        )
        for clock in (0, 1)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=sorted({name for name, *_ in CASES}))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, threads {arguments.threads}")
    print("network           side  batch  clock      plain float32 [s]  chosen [s]  ratio")
    for network, side, batch_size in CASES:
        if network not in arguments.networks:
            continue
        chosen = choose_compute(arguments.device, network, threads=arguments.threads)
        found = compare(network, side, batch_size, chosen, arguments.turns)
        clocks = ("wall",) if chosen.device == "cuda" else ("wall", "processor")
        for clock, (plain, policy, ratio) in zip(clocks, found, strict=False):
            print(
                f"{network:16}  {side:4}  {batch_size:5}  {clock:9}  {plain:17.4f}  "
                f"{policy:10.4f}  {ratio:4.2f}x  {chosen.precision}",
                flush=True,
            )


if __name__ == "__main__":
    main()
