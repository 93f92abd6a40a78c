"""Panels of the study's drawn images: what labels mark, and what networks find."""

import matplotlib.pyplot as plt
import numpy as np

from shortlib.data.supervision import supervision_labels
from shortlib.report.image_panels import bare, corner, outline
from shortlib.report.spatial_tables import LABELS
from shortlib.report.style import PALETTE

# Kinds of labels in the paper's Figure 1, from the least specific.
SHOWN = ("image", "quadrants", "boxes", "masks")
SHORTCUT = PALETTE[3]
YELLOW = np.array([1.0, 0.85, 0.1])  # of what is labelled, or found


def draw_labels(cohorts):
    """Draw what each kind of label marks on one positive case with a shortcut (Figure 1).

    Parameters
    ----------
    cohorts : dict of str to shortlib.data.Cohort
        By title, a row each, drawn, with masks of lesions and of shortcuts.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(
        len(cohorts), len(SHOWN), figsize=(2.2 * len(SHOWN), 2.35 * len(cohorts)), squeeze=False
    )
    for line, (title, cohort) in zip(axes, cohorts.items(), strict=True):
        case = _clearest(cohort)
        lesion = np.asarray(cohort.abnormality_masks)[case : case + 1]
        planes = np.asarray(cohort.shortcut_masks)[case]
        shortcut = planes if planes.ndim == 2 else planes.any(axis=0)
        for axis, kind in zip(line, SHOWN, strict=True):
            label = supervision_labels(lesion, kind)[0]
            image = as_picture(np.asarray(cohort.images)[case])
            axis.imshow(np.where(label[..., None], 0.65 * image + 0.35 * YELLOW, image))
            outline(axis, shortcut, colour=[SHORTCUT])
            bare(axis)
        line[0].set_ylabel(title)
    for axis, kind in zip(axes[0], SHOWN, strict=True):
        axis.set_title(LABELS[kind])
    return figure


def draw_found(runs, *, rows=4):
    """Draw what networks for pixels find in drawn test cases that go against the shortcut.

    Parameters
    ----------
    runs : dict of str to shortlib.runs.Run
        By title, a column each; of one data set, with examples.
    rows : int
        Cases, half of them positive.

    Returns
    -------
    matplotlib.figure.Figure
        First the image with the lesion's outline, then the pixels that each network calls
        positive.
    """
    kept = {title: run.examples() for title, run in runs.items()}
    first = next(iter(kept.values()))
    chosen = np.concatenate([np.flatnonzero(first["labels"] == k)[: rows // 2] for k in (1, 0)])
    figure, axes = plt.subplots(
        len(chosen),
        1 + len(runs),
        figsize=(2.0 * (1 + len(runs)), 2.1 * len(chosen)),
        squeeze=False,
    )
    for line, case in zip(axes, chosen, strict=True):
        image, mask = as_picture(first["images"][case].numpy()), first["masks"][case].numpy() > 0
        line[0].imshow(image)
        outline(line[0], mask)
        corner(line[0], "positive" if first["labels"][case] else "negative")
        for axis, (title, run) in zip(line[1:], runs.items(), strict=True):
            found = kept[title]["found"][case].numpy()
            positive = found == run.settings["lesion_classes"]
            axis.imshow(np.where(positive[..., None], 0.45 * image + 0.55 * YELLOW, image))
            outline(axis, mask)
        for axis in line:
            bare(axis)
    for axis, title in zip(axes[0], ("lesion", *runs), strict=True):
        axis.set_title(title)
    return figure


def as_picture(image):
    """Return an image of shape (c, h, w), uint8, as floats of shape (h, w, 3) in [0, 1]."""
    picture = np.moveaxis(image.astype(float) / 255, 0, -1)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def _clearest(cohort):
    """Choose a positive case with a shortcut whose lesion is of middling size."""
    carries = cohort.shortcut if cohort.shortcut.ndim == 1 else cohort.shortcut.any(axis=1)
    usable = np.flatnonzero((cohort.labels == 1) & carries)
    areas = np.asarray(cohort.abnormality_masks)[usable].sum(axis=(1, 2))
    return int(usable[np.argsort(areas, kind="stable")[3 * len(areas) // 4]])
