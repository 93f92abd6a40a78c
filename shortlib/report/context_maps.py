"""Figures of the cardiac study that show images: the regimes, and where the models look."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from shortlib.data.cine import PHASES
from shortlib.metrics import anatomic_knowledge_score, empty_maps
from shortlib.report.image_panels import MAPS, bare, corner, outline
from shortlib.shortcuts.background import (
    background_only,
    heart_masks,
    heart_only,
    swap_backgrounds,
)
from shortlib.shortcuts.discs import covering_radius
from shortlib.studies.cardiac_context.measures import MODELS, TASKS, stage_of

REGIMES = {
    "full": "Full:\nwhole image",
    "seg": "Seg:\nheart only",
    "bg": "BG:\nheart filled",
    "bg-outline": "BG, outline:\nheart black",
    "rand": "Rand:\nanother's background",
}


def regime_images(cohort, case, donor):
    """Show one case as each regime has it.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        Of two phases, with the heart's anatomy.
    case, donor : int
        Places in the cohort; `donor` lends its background in ``"rand"``.

    Returns
    -------
    images : dict of str to numpy.ndarray, shape (2, h, w)
        By a key of `REGIMES`.
    heart : numpy.ndarray of bool, shape (2, h, w)
        Of the case.
    """
    pair = [case, donor]
    images, hearts = np.asarray(cohort.images)[pair], heart_masks(cohort)
    radius, hearts = covering_radius(hearts), hearts[pair]
    filled = background_only(images, hearts, radius=radius)
    swapped = swap_backgrounds(
        *(torch.from_numpy(part) for part in (images, hearts, filled)), torch.tensor([1, 0])
    )
    shown = {
        "full": images,
        "seg": heart_only(images, hearts),
        "bg": filled,
        "bg-outline": background_only(images, hearts, "outline"),
        "rand": swapped.numpy(),
    }
    return {name: found[0] for name, found in shown.items()}, hearts[0]


def draw_regimes(images, heart):
    """Draw one case in each regime, end-diastole above end-systole.

    Parameters
    ----------
    images, heart
        As :func:`regime_images` returns them.

    Returns
    -------
    matplotlib.figure.Figure
        The heart is outlined where it is whole.
    """
    columns = len(images)
    figure, axes = plt.subplots(
        len(PHASES), columns, figsize=(2.1 * columns, 2.1 * len(PHASES) + 0.5), squeeze=False
    )
    top = 255 if images["full"].dtype == np.uint8 else 1
    for line, phase, mask, p in zip(axes, PHASES, heart, range(len(PHASES)), strict=True):
        for axis, (name, shown) in zip(line, images.items(), strict=True):
            axis.imshow(shown[p], cmap="gray", vmin=0, vmax=top)
            bare(axis)
            if name == "full":
                outline(axis, mask)
        line[0].set_ylabel(phase, fontsize="large")
    for axis, name in zip(axes[0], images, strict=True):
        axis.set_title(REGIMES.get(name, name))
    return figure


def draw_maps(runs, *, task="transfer", phase="ED", names=None):
    """Draw the maps of all models on the same cases, with the heart outlined.

    The paper's Figure 3, on the first test case of each class, whatever its map is like.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        With examples; the first seed of each variant is shown.
    task : str
        A key of :data:`shortlib.studies.cardiac_context.measures.TASKS`.
    phase : str
        ``"ED"`` or ``"ES"``.
    names : sequence of str, optional
        Of the classes, for the columns.

    Returns
    -------
    matplotlib.figure.Figure
        The images above, a row a model below; the number in a map is its AKS.

    Raises
    ------
    ValueError
        If the task or the phase is unknown, or no run has examples of it.
    """
    for name, value, known in (("task", task, TASKS), ("phase", phase, PHASES)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    p, found, whole = PHASES.index(phase), {}, None
    for variant, title in MODELS.items():
        examples = _examples(runs, variant, task)
        if examples is not None:
            found[title] = examples
            if whole is None or variant == "full":
                whole = examples
    if not found:
        raise ValueError(f"runs must hold examples of the task {task!r}, none of them does")
    columns = len(whole["images"])
    figure, axes = plt.subplots(
        len(found) + 1, columns, figsize=(1.75 * columns + 1.1, 1.62 * (len(found) + 1) + 0.4),
        squeeze=False,
    )  # fmt: skip
    for k, axis in enumerate(axes[0]):
        axis.imshow(whole["images"][k, p], cmap="gray", vmin=0, vmax=255)
        outline(axis, whole["hearts"][k, p])
        axis.set_title(names[k] if names else f"class {k + 1}")
    axes[0, 0].set_ylabel("image")
    for line, (title, examples) in zip(axes[1:], found.items(), strict=True):
        maps, hearts = examples["maps"][:, p], examples["hearts"][:, p].astype(bool)
        scores, empty = anatomic_knowledge_score(maps, hearts), empty_maps(maps)
        for k, axis in enumerate(line):
            axis.imshow(maps[k], cmap=MAPS, vmin=0, vmax=1)
            outline(axis, hearts[k])
            corner(axis, "empty" if empty[k] else f"{scores[k]:.2f}")
        line[0].set_ylabel(title)
    for axis in axes.flat:
        bare(axis)
    return figure


def _examples(runs, variant, task):
    """Return the examples of a variant's first seed as arrays, None where there are none."""
    chosen = [run for run in runs if run.request["variant"] == variant]
    at, head = stage_of(variant, task)
    for run in sorted(chosen, key=lambda run: run.seed)[:1]:
        try:
            kept = run.examples()
        except FileNotFoundError:  # of real patients nothing is kept
            return None
        parts = {name: kept.get(f"{at}/{head}/{name}") for name in ("images", "maps", "hearts")}
        if all(part is not None for part in parts.values()):
            return {name: part.float().numpy() for name, part in parts.items()}
    return None
