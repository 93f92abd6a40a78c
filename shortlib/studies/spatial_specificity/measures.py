"""What the study measures on its runs, each as a resampled estimate."""

from contextlib import suppress
from dataclasses import replace

import numpy as np

from shortlib.studies.spatial_specificity.choosing import (
    against,
    by_overlap,
    of,
    pixel_tables,
    shares_of,
    swept,
)
from shortlib.studies.spatial_specificity.guesses import error_set_lift, purity_lift
from shortlib.studies.spatial_specificity.resampled import (
    INSIDE,
    PLAIN,
    area_under,
    matched_area_under,
    mean_of,
    variance,
)
from shortlib.studies.spatial_specificity.sweeping import SWEPT
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import PAPER, SELECTIONS
from shortlib.studies.stated import Stated
from shortlib.studies.verdicts import NotTestableError

# The specificity of labels, in the order of the paper's Figure 5.
LEVELS = {1: ("binary-erm", "image"), 2: ("boxes", "boxes"), 3: ("masks", "masks")}
ARTEFACTS = ("dark_corner", "hair", "gel_border", "gel_bubble", "ruler", "ink", "patches")
_STATED = Stated(__package__)


def estimates(metric, runs, *, selection=PAPER):
    """Measure one metric, by model or by what the metric says.

    Parameters
    ----------
    metric : str
        A key of `METRICS`.
    runs : list of shortlib.runs.Run
        Of one data set and profile.
    selection : str
        A key of :data:`shortlib.studies.spatial_specificity.watching.SELECTIONS`.

    Returns
    -------
    dict of str or float to Estimate
        What the runs do not hold is left out.

    Raises
    ------
    ValueError
        If there is no such metric or selection rule; lists those there are.
    shortlib.studies.verdicts.NotTestableError
        If the metric cannot be measured on these runs.
    """
    known = {"metric": (metric, METRICS), "selection": (selection, SELECTIONS)}
    for name, (value, usual) in known.items():
        if value not in usual:
            raise ValueError(f"{name} must be one of {', '.join(usual)}, got {value!r}")
    return METRICS[metric](runs, selection)


def overall_auroc(runs, selection, share=1.0):
    """AUROC over all plain test cases, by model."""
    return _by_model(runs, selection, share, lambda chosen: PLAIN)


def robust_auroc(runs, selection, share=1.0):
    """AUROC on the test cases that go against the shortcut, by model."""
    return _by_model(runs, selection, share, against)


def by_size(runs, selection=PAPER):
    """AUROC by model on plain test cases, with and without what the lesion's size does to it.

    Returns
    -------
    every, alike : dict of str to Estimate
        Over all pairs of cases, and over pairs of lesions of like size.
    inside : dict of str to Estimate
        Over all pairs, by a score that does not grow with the lesion: the share of what is found
        that is called positive. Networks for pixels have one, under the paper's rule.
    """
    every, alike, inside = overall_auroc(runs, selection), {}, {}
    for variant, title in VARIANTS.items():
        if chosen := of(runs, variant):
            alike[title] = matched_area_under(chosen, PLAIN, selection)
            with suppress(NotTestableError):
                inside[title] = area_under(chosen, INSIDE, selection)
    return every, alike, inside


def robust_by_specificity(runs, selection):
    """Robust AUROC by the specificity of the labels, 1 to 3."""
    found = robust_auroc(runs, selection)
    return {
        level: found[VARIANTS[variant]]
        for level, (variant, _) in LEVELS.items()
        if VARIANTS[variant] in found
    }


def robust_at(which):
    """Return a metric: robust AUROC at the smallest or largest share below all, by model."""

    def measure(runs, selection):
        runs = swept(runs)
        below = [share for one in SWEPT for share in shares_of(runs, one) if share < 1]
        if not below:
            raise NotTestableError("no run has labels of a part of the training cases")
        found = robust_auroc(runs, selection, which(below))
        whole = robust_auroc(runs, selection)
        name = VARIANTS["binary-erm"]
        return found | ({name: whole[name]} if name in whole else {})

    return measure


def variance_by_specificity(runs, selection):
    """Variance of the positively labelled training pixels by specificity, 1 to 3."""
    tables = pixel_tables(runs)
    return {level: variance(tables, kind) for level, (_, kind) in LEVELS.items()} if tables else {}


def artefact_gaps(runs, selection, variant="masks"):
    """AUROC of a model on test cases without an artefact minus that on cases with it.

    Returns
    -------
    dict of str to tuple
        By artefact: without, with, and their difference; estimates, or None where an artefact has
        no test cases of both labels.
    """
    chosen, found = of(runs, variant), {}
    for artefact in ARTEFACTS:
        if not chosen or artefact not in chosen[0].table("cases"):
            continue
        try:
            without, carrying = (
                area_under(chosen, PLAIN, selection, artefact=artefact, carries=carries)
                for carries in (False, True)
            )
        except NotTestableError:
            found[artefact] = None
            continue
        found[artefact] = without, carrying, _unpaired(without, carrying)
    return found


def overlaps(runs):
    """Return the share of each artefact that lies on the lesion, mean over training cases.

    Returns
    -------
    dict of str to Estimate or float
        Measured where the artefacts' masks are known, but for artefacts that no training lesion
        comes with; else what the paper says of real ones.
    """
    tables = pixel_tables(runs)
    columns = [name for name in (tables[0] if tables else ()) if name.startswith("inside ")]
    if not columns:
        return dict(_STATED.published()["overlap"])
    masks = [table[table["supervision"] == "masks"] for table in tables]
    measured = [name for name in columns if any(table[name].notna().any() for table in masks)]
    return {name.removeprefix("inside "): mean_of(masks, name) for name in measured}


def gap_by_overlap(runs, selection):
    """Gap of Seg-ERM by the overlap of the artefact with the lesion."""
    known = overlaps(runs)
    found = {
        float(getattr(known[name], "value", known[name])): gap[2]
        for name, gap in artefact_gaps(runs, selection).items()
        if gap is not None and name in known
    }
    # Of a rare artefact there are fewer resamples; an order needs as many of each.
    size = min((len(gap.resamples) for gap in found.values()), default=0)
    return {x: replace(gap, resamples=gap.resamples[:size]) for x, gap in found.items()}


def gain_by_overlap(runs, selection):
    """What masks gain over image labels in robust AUROC, by the overlap of the sticker."""
    found = {}
    for overlap, chosen in by_overlap(runs).items():
        scores = robust_auroc(chosen, selection)
        names = [VARIANTS[variant] for variant in ("masks", "binary-erm")]
        if all(name in scores for name in names):
            found[overlap] = scores[names[0]] - scores[names[1]]
    return found


def _by_model(runs, selection, share, view):
    found = {}
    for variant, title in VARIANTS.items():
        chosen = of(runs, variant, share)
        if chosen:
            found[title] = area_under(chosen, view(chosen), selection)
    return found


def _unpaired(first, second):
    """Difference of two estimates on different cases: their resamples are not paired."""
    size = min(len(first.resamples), len(second.resamples))
    rng = np.random.default_rng(0)
    mixed = rng.permutation(second.resamples)[:size]
    return type(first)(
        first.value - second.value,
        first.resamples[:size] - mixed,
        first.n + second.n,
        min(first.seeds, second.seeds),
    )


METRICS = {
    "overall_auroc": overall_auroc,
    "robust_auroc": robust_auroc,
    "robust_by_specificity": robust_by_specificity,
    "robust_smallest": robust_at(min),
    "robust_half": robust_at(max),
    "variance": variance_by_specificity,
    "gap_by_overlap": gap_by_overlap,
    "gain_by_overlap": gain_by_overlap,
    "error_set_lift": error_set_lift,
    "purity_lift": purity_lift,
}
