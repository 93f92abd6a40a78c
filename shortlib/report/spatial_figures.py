"""Figures of the study of spatial specificity: models, specificities, samples, money, overlap."""

import matplotlib.pyplot as plt

from shortlib.report.model_panels import Panel, draw_panels
from shortlib.report.spatial_tables import ALIKE, ALL, IN_LESIONS, TASKS, measured_by
from shortlib.report.style import INK, PALETTE
from shortlib.studies.spatial_specificity.choosing import of
from shortlib.studies.spatial_specificity.measures import by_size
from shortlib.studies.spatial_specificity.resampled import area_of_lesion
from shortlib.studies.spatial_specificity.variants import VARIANTS

# Colour and mark of each variant in every figure.
LOOKS = {
    "binary-erm": (PALETTE[7], "o"),
    "binary-jtt": (PALETTE[0], "v"),
    "binary-george": (PALETTE[9], "^"),
    "binary-group-dro": (PALETTE[8], "p"),
    "quadrants": (PALETTE[5], "h"),
    "single-boxes": (PALETTE[6], "X"),
    "boxes": (PALETTE[1], "s"),
    "masks": (PALETTE[2], "D"),
    "masks-ssl": (PALETTE[4], "P"),
    "masks-spl": (PALETTE[3], "d"),
}
LEVELS = {1: "image\nlabels", 2: "boxes", 3: "masks"}
AREA = "lesion's area"
SIZES = (ALL, ALIKE, IN_LESIONS)
LINES = {"chest": "the paper, radiographs", "skin": "the paper, skin"}


def draw_models(groups, published):
    """Draw overall and robust AUROC of every model, a panel a data set and measure.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; those without runs have no panel.
    published : dict
        As the study's ``published()`` returns it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If nothing is measured.
    """
    printed = {
        (row["task"], row["metric"]): row["values"] for row in published["tables"][0]["rows"]
    }
    panels = []
    for data, runs in groups.items():
        for metric, label in (("overall_auroc", "overall AUROC"), ("robust_auroc", "robust AUROC")):
            same = bool(runs) and runs[0].settings["robust"] == "all"
            measured = {} if same and metric == "overall_auroc" else measured_by(metric, runs)
            if measured:
                panels.append(
                    Panel(
                        measured=measured,
                        label=label,
                        title=data,
                        published=printed.get((TASKS[data], metric), {}),
                        level=0.5,
                    )
                )
    lines = [panels[:2], panels[2:]] if len(panels) == 4 else [panels or [Panel({}, "")]]
    return draw_panels(lines, _looks(), level="guessing")


def draw_size(groups):
    """Draw the AUROC over all pairs of test cases beside two that the lesion's size is kept out of.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set; those in which not every case has a lesion have no panel.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If nothing is measured.
    """
    columns, same = {}, {"level": 0.5, "limits": (0, 1)}
    for data, runs in groups.items():
        if runs and runs[0].settings["lesion_classes"] == 2:
            measured, matched, inside = by_size(runs)
            area = area_of_lesion(of(runs, next(v for v in VARIANTS if of(runs, v))), "test")
            found = dict(zip(SIZES, ({AREA: area, **measured}, matched, inside), strict=True))
            for label, values in found.items():
                columns.setdefault(label, []).append(Panel(values, label, data, **same))
    # Networks for image labels alone have no score of the lesion.
    kept = [column for column in columns.values() if any(panel.measured for panel in column)]
    looks = {AREA: (INK, "*"), **_looks()}
    return draw_panels([*zip(*kept, strict=True)] or [[Panel({}, "")]], looks, level="guessing")


def draw_specificity(groups, published):
    """Draw the robust AUROC against the specificity of the labels (the paper's Figure 5).

    Parameters
    ----------
    groups, published
        As for :func:`draw_models`.

    Returns
    -------
    matplotlib.figure.Figure
        A line a data set, and dashed the paper's two.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    for k, (data, runs) in enumerate(groups.items()):
        found = measured_by("robust_by_specificity", runs)
        if found:
            _line(axis, found, k, data)
    for row in published["tables"][0]["rows"]:
        if row["metric"] == "robust_auroc":
            values = [row["values"][n] for n in ("Binary-ERM", "BBox-ERM", "Seg-ERM")]
            look = {"chest": ("D", "--"), "skin": ("o", ":")}[row["task"]]
            axis.plot(list(LEVELS), values, color=INK, marker=look[0], mfc="none", ls=look[1],
                      lw=1.2, ms=5, label=LINES[row["task"]])  # fmt: skip
    axis.axhline(0.5, color=INK, lw=0.8, ls=":")
    axis.set(ylabel="robust AUROC", ylim=(-0.02, 1.02), xlim=(0.7, 3.3))
    axis.set_xticks(list(LEVELS), list(LEVELS.values()))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _looks():
    return {VARIANTS[variant]: look for variant, look in LOOKS.items()}


def _line(axis, found, k, label):
    offset = 0.03 * (k - 1)
    xs = [level + offset for level in found]
    axis.plot(xs, [e.value for e in found.values()], color=PALETTE[k], marker="os^D"[k % 4], lw=1.8,
              ms=6, label=label)  # fmt: skip
    for x, estimate in zip(xs, found.values(), strict=True):
        axis.vlines(x, *estimate.interval(), color=PALETTE[k], lw=1.4)
