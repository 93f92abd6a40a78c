"""Time the decoding of a table of run lengths against a loop over pixels.

Run from the checkout, about ten seconds on one core::

    OMP_NUM_THREADS=1 python benchmarks/rle_decoding.py

The table is as large as SIIM-ACR's and made of crescents of about the real size: 12,047
images of 1024 px, of which 2,669 have a mask of 1 to 4% of the image. The fast side is
``shortlib.data.rle.decode`` with all its checks, on the whole table. The loops are
timed on a sample of the images that have a mask, with the same share of images that
have none, and scaled to the table: one sets the pixels of each run, one by one; the other
walks over all pixels of the image and asks of each whether it is in a run. Times are
processor seconds of this process.
"""

import argparse
import time

import numpy as np

from shortlib.data.rle import decode, encode

SIDE = 1024


def crescent(rng):
    """Return a mask like a pneumothorax: what one ellipse has and a shifted one has not."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    height, width = rng.uniform(200, 330), rng.uniform(110, 170)
    shift = rng.uniform(0.15, 0.5) * width
    side = rng.choice([-1, 1])
    cy, cx = rng.uniform(380, 560), 512 + side * rng.uniform(180, 240)
    outer = ((y - cy) / height) ** 2 + ((x - cx) / width) ** 2 < 1
    inner = ((y - cy - 40) / height) ** 2 + ((x - cx + side * shift) / width) ** 2 < 1
    return outer & ~inner & (y < cy + rng.uniform(-100, 150))


def by_run(runs):
    """Set the pixels of each run, one by one."""
    mask = np.zeros((SIDE, SIDE), bool)
    numbers = [int(word) for word in runs.split()]
    if numbers == [-1]:
        return mask
    place = 0
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        place += start
        for pixel in range(place, place + length):
            mask[pixel % SIDE, pixel // SIDE] = True
        place += length
    return mask


def by_pixel(runs):
    """Walk down the columns, and ask of each pixel whether it is in a run."""
    numbers = [int(word) for word in runs.split()]
    mask = np.zeros((SIDE, SIDE), bool)
    if numbers == [-1]:
        return mask
    numbers.append(SIDE * SIDE)  # what comes after the last run
    inside, left = False, numbers.pop(0)
    for column in range(SIDE):
        for row in range(SIDE):
            while left == 0:
                inside, left = not inside, numbers.pop(0)
            mask[row, column] = inside
            left -= 1
    return mask


def vectorised(runs):
    return decode(runs, (SIDE, SIDE))


def seconds(function, table):
    """Return the processor seconds of a call for each row."""
    start = time.process_time()
    for runs in table:
        function(runs)
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12047)
    parser.add_argument("--masks", type=int, default=2669)
    parser.add_argument("--sample", type=int, default=10, help="masks that the loops decode")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    masks = [crescent(rng) for _ in range(min(50, arguments.masks))]
    table = [encode(masks[k % len(masks)]) for k in range(arguments.masks)]
    table += ["-1"] * (arguments.images - arguments.masks)
    sample = table[: arguments.sample]
    none = round(arguments.sample * (arguments.images / arguments.masks - 1))
    for runs, mask in zip(sample, masks, strict=False):
        for way in (by_run, by_pixel, vectorised):
            assert (way(runs) == mask).all()

    fast = seconds(vectorised, table)
    share = 100 * np.mean([mask.mean() for mask in masks])
    print(f"{len(table)} images, {arguments.masks} masks of {share:.1f}% of {SIDE}x{SIDE} px")
    print(f"{'':28} {'seconds':>9} {'ratio':>7}")
    print(f"{'shortlib.data.rle.decode':28} {fast:9.2f}")
    for name, loop in (
        ("loop over pixels of runs", by_run),
        ("loop over pixels of images", by_pixel),
    ):
        slow = seconds(loop, sample + ["-1"] * none) * arguments.images / (len(sample) + none)
        print(f"{name:28} {slow:9.2f} {slow / fast:6.0f}x")


if __name__ == "__main__":
    main()
