"""A contact sheet of a data set: images with what is known on them outlined."""

import textwrap

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from shortlib.data.problems import DataError
from shortlib.report.style import INK

# By field of masks: colours of its planes, line width and style. Anatomy is cool,
# abnormalities warm, shortcuts dashed.
LOOKS = {
    "anatomy_masks": (("#4cc9f0", "#80ed99", "#4361ee", "#b8c0ff", "#2a9d8f", "#00b4d8"), 0.9, "-"),
    "abnormality_masks": (
        ("#ff4d6d", "#ff9f1c", "#f15bb5", "#d00000", "#ffbf69", "#e85d04"),
        1.2,
        "-",
    ),
    "shortcut_masks": (
        ("#ffee32", "#c77dff", "#ffffff", "#ffd6a5", "#caffbf", "#f72585", "#bde0fe"),
        1.1,
        "--",
    ),
}
ONE_PLANE = {
    "anatomy_masks": "anatomy",
    "abnormality_masks": "abnormality",
    "shortcut_masks": "shortcut",
}
PHASES = ("ED", "ES")
TILE = 1.75  # inches
SIDE = 256  # pixels an image is read at, unless it is smaller


def contact_sheet(index, split=None, *, n=24, size=None, seed=0, title=None):
    """Draw cases of a data set with anatomy, abnormality and shortcut outlined.

    Parameters
    ----------
    index : shortlib.data.index.Index
    split : str, optional
        All cases by default.
    n : int
        At most so many cases; as many of each label as there are, as far as that
        goes.
    size : int, optional
        Side in pixels at which images are read.
    seed : int
        Which cases are drawn.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        A case that cannot be read is a tile that says why.

    Raises
    ------
    ValueError
        If `n` is less than 1.
    DataError
        If no case is in the split.
    """
    if n < 1:
        raise ValueError(f"n is a number of cases, at least 1, got {n}")
    index = index.of(split)
    if not len(index):
        raise DataError("no cases", f"{index.name} has none to show", path=index.root)
    size = min(index.size, SIDE) if size is None else size
    chosen = _chosen(index, n, seed)
    found = [_read(index, position, size) for position in chosen]
    phases = max((case["images"].shape[0] for case in found if isinstance(case, dict)), default=1)
    wide = 2 if phases == 2 else 1
    columns = min(len(found), 4 if wide == 2 else 6)
    rows = -(-len(found) // columns)
    figure = Figure(
        figsize=(columns * TILE * wide, rows * (TILE + 0.45) + 0.7), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    used = {}
    for axis, position, case in zip(axes, chosen, found, strict=False):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        axis.set_xlabel(_caption(index, position), fontsize=6.5, color=INK)
        if isinstance(case, DataError):
            said = "\n".join(textwrap.wrap(f"{case.kind}: {case.sentence}", 28)[:6])
            axis.text(
                0.5, 0.5, said, ha="center", va="center", fontsize=6, transform=axis.transAxes
            )
            continue
        _draw(axis, case, index, used)
    for axis in axes[len(found) :]:
        axis.set_axis_off()
    figure.suptitle(title or f"{index.name}{f', {split}' if split else ''}", color=INK)
    _legend(figure, used)
    return figure


def _chosen(index, n, seed):
    """Draw cases, one of each label in turn, and order them by label."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(index))
    if not index.labels:
        return np.sort(order[:n]).tolist()
    labels = index.cases[list(index.labels)]
    if len(index.labels) > 1:
        # Of several findings the rarest that is present speaks for a case.
        positive = labels.to_numpy(dtype=float) == 1
        rare = np.argsort(positive.sum(axis=0), kind="stable")
        first = np.array([next((k for k in rare if row[k]), -1) for row in positive])
    else:
        first = labels.iloc[:, 0].to_numpy()
    turn = np.empty(len(index), int)
    for label in np.unique(first):
        mine = order[first[order] == label]
        turn[mine] = np.arange(len(mine))
    chosen = order[np.argsort(turn[order], kind="stable")][:n]
    return sorted(chosen.tolist(), key=lambda position: (first[position], position))


def _read(index, position, size):
    try:
        return index.case(position, size)
    except DataError as error:
        return error


def _draw(axis, case, index, used):
    image = np.asarray(case["images"])
    seen = _inside_margin(image)
    image = image[:, *seen]
    phases, height, width = image.shape
    if phases == 2:
        low = image.min(axis=(1, 2), keepdims=True)
        image = (image - low) / np.maximum(np.ptp(image, axis=(1, 2), keepdims=True), 1e-6)
        axis.imshow(np.hstack(list(image)), cmap=colormaps["gray"])
    elif phases == 3:
        axis.imshow(image.transpose(1, 2, 0))
    else:
        top = 255 if image.dtype == np.uint8 else image.max()
        axis.imshow(image[0], cmap=colormaps["gray"], vmin=min(image.min(), 0), vmax=top)
    for mask, name, phase, look in _outlined(case, index):
        mask = mask[seen]
        for place in range(2 if phases == 2 else 1):
            if phase not in (None, PHASES[place]) or not mask.any():
                continue
            used[name] = look
            # A rim of zeros closes outlines at the border.
            axis.contour(
                np.arange(-1, width + 1) + place * width,
                np.arange(-1, height + 1),
                np.pad(mask.astype(float), 1),
                [0.5],
                colors=look[0],
                linewidths=look[1],
                linestyles=look[2],
            )
    axis.set(xlim=(-0.5, width * (2 if phases == 2 else 1) - 0.5), ylim=(height - 0.5, -0.5))


def _inside_margin(image):
    """Return the slices of what is not the empty margin that a slice was padded with."""
    lit = image.any(axis=0)
    if len(image) != 2 or not lit.any():
        return slice(None), slice(None)
    return tuple(
        slice(int(some.argmax()), len(some) - int(some[::-1].argmax()))
        for some in (lit.any(axis=1), lit.any(axis=0))
    )


def _outlined(case, index):
    """Yield each mask of a case, what it shows, its phase or None, and its look."""
    for field, (colours, line, style) in LOOKS.items():
        if field not in case:
            continue
        alone = index.shortcuts[0] if len(index.shortcuts) == 1 else ONE_PLANE["shortcut_masks"]
        alone = alone if field == "shortcut_masks" else ONE_PLANE[field]
        names = index.planes.get(field) or (alone,)
        things = list(dict.fromkeys(_thing(name)[0] for name in names))
        masks = np.asarray(case[field])
        for name, mask in zip(names, masks[None] if masks.ndim == 2 else masks, strict=True):
            thing, phase = _thing(name)
            colour = colours[things.index(thing) % len(colours)]
            yield mask, thing or ONE_PLANE[field], phase, (colour, line, style)


def _thing(name):
    """Split the name of a plane into what it shows and the phase it belongs to, or None."""
    for phase in PHASES:
        if name == phase or name.endswith(f" {phase}"):
            return name[: -len(phase)].strip(), phase
    return name, None


def _caption(index, position):
    row = index.cases.iloc[position]
    case_id = str(row["case_id"])
    lines = [case_id if len(case_id) <= 28 else f"...{case_id[-25:]}"]
    if len(index.labels) == 1:
        value = int(row[index.labels[0]])
        lines.append(index.label_names[value] if index.label_names else str(value))
    elif index.labels:
        present = [name for name in index.labels if row[name] == 1]
        unsure = [f"{name}?" for name in index.labels if row[name] == -1]
        lines += _wrapped(", ".join(present + unsure) or "no finding")
    carried = [name for name in index.shortcuts if bool(row[name])]
    if carried:
        lines += _wrapped("with " + ", ".join(carried))
    return "\n".join(lines)


def _wrapped(text):
    return textwrap.wrap(text, 31, max_lines=3, placeholder=" ...")


def _legend(figure, used):
    if not used:
        return
    handles = [
        Line2D([], [], color=colour, linewidth=2 * line, linestyle=style, label=name)
        for name, (colour, line, style) in used.items()
    ]
    # On grey, or pale outlines would not be seen.
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 7),
        fontsize=7,
        facecolor="#6c757d",
        labelcolor="white",
        edgecolor="none",
    )
