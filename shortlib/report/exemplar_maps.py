"""Figures of the exemplar study that show images: the confounder, the exemplars, and maps."""

import cv2
import matplotlib.pyplot as plt
import numpy as np

from shortlib.data.phantoms.chest import Population, chest
from shortlib.data.phantoms.chest.settings import CLASSES
from shortlib.metrics import activation_precision, empty_maps
from shortlib.report.image_panels import MAPS, bare, corner, outline
from shortlib.studies.exemplary_explanations.measures import (
    MODELS,
    PRINTED_WEIGHT,
    chosen_model,
    refined,
    weights_of,
)
from shortlib.studies.exemplary_explanations.refinements import EXBL, UNREFINED, name_of

KINDS = ("good", "bad")
STRENGTH = 0.65  # opacity of a map at its highest, over its image
AGES = {"child": 0.0, "adult": 1.0}


def same_illness(label="Viral Pneumonia", *, number=0, seed=0, size=160):
    """Draw one patient twice, with the same illness: as a child and as an adult.

    Parameters
    ----------
    label : str
        One of the built-in radiographs' classes.
    number : int
        Of the case.
    seed : int
    size : int
        Side of the images, in pixels.

    Returns
    -------
    dict of str to shortlib.data.Cohort
        ``"child"`` and ``"adult"``, one case each.

    Raises
    ------
    ValueError
        If the class is unknown.
    """
    if label not in CLASSES:
        raise ValueError(f"label must be one of {', '.join(CLASSES)}, got {label!r}")
    shares = {name: float(name == label) for name in CLASSES}
    options = {"task": "pneumonia", "first": number, "seed": seed, "size": size}
    return {
        age: chest(1, findings=shares, population=Population(adult=adult), **options)
        for age, adult in AGES.items()
    }


def draw_confounder(patients):
    """Draw a patient as a child and as an adult, the joints of the shoulders outlined.

    Parameters
    ----------
    patients : dict of str to shortlib.data.Cohort
        As :func:`same_illness` returns it.

    Returns
    -------
    matplotlib.figure.Figure
        A column an age: the whole image, and the larger of the two joints enlarged below it.
    """
    figure, axes = plt.subplots(
        2, len(patients), figsize=(3.1 * len(patients), 5.6), height_ratios=(3.1, 2), squeeze=False
    )
    for (above, below), (age, cohort) in zip(axes.T, patients.items(), strict=True):
        image, joints = cohort.images[0, 0], cohort.shortcut_masks[0]
        for axis in (above, below):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            bare(axis)
        outline(above, joints)
        rows, columns = _larger_part(joints)
        below.set(xlim=(columns[0] - 0.5, columns[1] - 0.5), ylim=(rows[1] - 0.5, rows[0] - 0.5))
        above.set_title(f"as {'an' if age[0] in 'aeiou' else 'a'} {age}")
    axes[0, 0].set_ylabel("whole image")
    axes[1, 0].set_ylabel("one joint, enlarged")
    return figure


def draw_exemplars(run):
    """Draw the two exemplary explanations of a run on drawn radiographs.

    The paper's Figure 2.

    Parameters
    ----------
    run : shortlib.runs.Run
        With examples.

    Returns
    -------
    matplotlib.figure.Figure
        A row for the good and one for the bad one: the image, and the unrefined model's map over
        it. The number is the map's activation precision on the lungs.

    Raises
    ------
    FileNotFoundError
        If the run has no examples, as on real radiographs.
    """
    kept, pair = run.examples(), run.table("exemplars").iloc[0]
    images, maps = kept["exemplar_images"][:, 0].numpy(), kept["exemplar_maps"].float().numpy()
    precision = run.table("candidates").set_index("case_id")["ap"]
    figure, axes = plt.subplots(2, 2, figsize=(4.9, 5.0))
    for line, kind, image, saliency in zip(axes, KINDS, images, maps, strict=True):
        for axis in line:
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            bare(axis)
        overlay(line[1], saliency)
        corner(line[1], f"{precision[pair[kind]]:.2f}")
        line[0].set_ylabel(f"the {kind} one")
    axes[0, 0].set_title("image")
    axes[0, 1].set_title("explanation over it")
    return figure


def draw_maps(run):
    """Draw maps of some test cases before and after refining, with the lungs outlined.

    The paper's Figure 3, on the first test cases of the children's class, whatever their maps are
    like.

    Parameters
    ----------
    run : shortlib.runs.Run
        With examples.

    Returns
    -------
    matplotlib.figure.Figure
        A row a case: the image, then the maps of the unrefined model and of eXBL over it, at the
        weight that validation chose and at that of the paper's equation. The number is the map's
        activation precision.

    Raises
    ------
    FileNotFoundError
        If the run has no examples, as on real radiographs.
    """
    kept = run.examples()
    images, lungs = kept["images"][:, 0].numpy(), kept["lungs"].numpy().astype(bool)
    stages = {
        title: kept[f"maps/{stage}"].float().numpy()
        for title, stage in _stages(run).items()
        if f"maps/{stage}" in kept
    }
    n, columns = len(images), 1 + len(stages)
    figure, axes = plt.subplots(n, columns, figsize=(2.2 * columns, 2.2 * n + 0.5), squeeze=False)
    for line, image, lung in zip(axes, images, lungs, strict=True):
        for axis in line:
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            bare(axis)
            outline(axis, lung)
    axes[0, 0].set_title("image")
    for column, (title, maps) in zip(axes.T[1:], stages.items(), strict=True):
        precisions = activation_precision(maps, lungs, top=run.settings["top"])
        empty = empty_maps(maps)
        for axis, saliency, ap, none in zip(column, maps, precisions, empty, strict=True):
            overlay(axis, saliency)
            corner(axis, "empty" if none else f"{ap:.2f}")
        column[0].set_title(title)
    return figure


def example_run(runs):
    """Return the first seed's run that keeps example images, or None."""
    drawn = (run for run in refined(runs) if "drawn" in run.settings["source"])
    return next(drawn, None)


def overlay(axis, saliency):
    """Lay a map over an image, the more opaque the higher it is."""
    axis.imshow(saliency, cmap=MAPS, vmin=0, vmax=1, alpha=STRENGTH * np.clip(saliency, 0, 1))


def _stages(run):
    """Name the stages that are shown by their titles: unrefined, and eXBL at one or two weights."""
    where, found = chosen_model(run, EXBL), {MODELS[UNREFINED]: UNREFINED}
    printed = [(EXBL, *one) for one in weights_of(run, EXBL) if one[0] == PRINTED_WEIGHT]
    for _, weight, pair in dict.fromkeys([*filter(None, [where]), *printed]):
        roles = {"chosen": (EXBL, weight, pair) == where, "as printed": weight == PRINTED_WEIGHT}
        said = ", ".join(role for role, has in roles.items() if has)
        found[f"{MODELS[EXBL]}, weight {weight:g}\n({said})"] = name_of(EXBL, weight, pair)
    return found


def _larger_part(mask):
    """Return the rows and columns of a square around the largest connected part of a mask."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats(np.asarray(mask, np.uint8))
    if len(boxes) < 2:  # the first one is what is False
        return (0, mask.shape[0]), (0, mask.shape[1])
    left, top, wide, tall, _ = boxes[1 + boxes[1:, cv2.CC_STAT_AREA].argmax()]
    side = round(1.5 * max(wide, tall) + 4)
    firsts = (
        int(np.clip(middle - side / 2, 0, max(0, length - side)))
        for middle, length in zip((top + tall / 2, left + wide / 2), mask.shape, strict=True)
    )
    return tuple((first, first + side) for first in firsts)
