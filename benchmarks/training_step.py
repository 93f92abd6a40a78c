"""Time a training step as the compute policy chooses it against plain float32.

Run from the checkout, some minutes on one core and seconds on a GPU::

    python benchmarks/training_step.py

A step is forward, backward and Adam on the network of the synthetic study at 40 px, on
data that are already on the device. Plain is float32 in contiguous layout. Both sides
take turns, A B A B, so that other work on the machine bears on both; ratios are of
turns beside each other, and their median is printed. On a CPU the clock of the wall
is used, since threads run beside each other.
"""

import argparse
import statistics
import time

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from shortlib.methods.compute import Compute, choose_compute
from shortlib.models.fcn import build_fcn


def stepper(network, batch_size, compute):
    """Return a function that takes one training step and returns its seconds."""
    torch.manual_seed(0)
    model = compute.place(build_fcn(network)).train()
    images = compute.place(torch.randn(batch_size, 1, 40, 40))
    labels = (torch.rand(batch_size, 40, 40) < 0.1).float().to(compute.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step():
        start = time.perf_counter()
        with compute.autocast():
            loss = binary_cross_entropy_with_logits(model(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()
        if compute.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return step


def compare(network, batch_size, chosen, turns):
    """Return the median seconds of both sides and the median of their ratios."""
    plain = Compute(chosen.device, "float32", channels_last=False, threads=chosen.threads)
    a, b = stepper(network, batch_size, plain), stepper(network, batch_size, chosen)
    with chosen.active():
        a(), b()  # warm up
        pairs = [(a(), b()) for _ in range(turns)]
    seconds = [statistics.median(side) for side in zip(*pairs, strict=True)]
    return *seconds, statistics.median(x / y for x, y in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="fcn-resnet50")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[150, 15])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    chosen = choose_compute(arguments.device, arguments.network, threads=arguments.threads)
    print(f"{arguments.network}, 40 px, {chosen}, torch {torch.__version__}")
    print("batch  plain float32 [s]  chosen [s]  ratio")
    for batch_size in arguments.batch_sizes:
        plain, policy, ratio = compare(arguments.network, batch_size, chosen, arguments.turns)
        print(f"{batch_size:5}  {plain:17.4f}  {policy:10.4f}  {ratio:4.2f}x", flush=True)


if __name__ == "__main__":
    main()
