"""Panels that show an image: without ticks, with an outline or a number on it."""

import numpy as np

from shortlib.report.style import INK

MAPS = "magma"
OUTLINE = "#00c8ff"  # bright on dark maps and on grey images


def bare(axis):
    """Take away ticks and frame, and keep the label of the row."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.yaxis.label.set_color(INK)


def outline(axis, mask, *, colour=OUTLINE):
    """Draw the outline of what is True; nothing of an empty mask."""
    mask = np.asarray(mask)
    if mask.any():
        # A rim of zeros closes outlines at the border.
        h, w = mask.shape
        axis.contour(np.arange(-1, w + 1), np.arange(-1, h + 1), np.pad(mask.astype(float), 1),
                     [0.5], colors=colour, linewidths=1.1)  # fmt: skip
        axis.set(xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5))


def corner(axis, said):
    """Write a few letters into the upper left corner, readable on any image."""
    axis.text(0.04, 0.95, said, color="white", fontsize=8, va="top", transform=axis.transAxes,
              bbox={"facecolor": "black", "alpha": 0.6, "lw": 0, "pad": 1.5})  # fmt: skip
