"""What the study measures on its runs, each as a resampled estimate."""

from dataclasses import replace

import numpy as np
import pandas as pd

from shortlib.metrics.cost import annotation_cost
from shortlib.studies.spatial_specificity.resampled import (
    AGAINST,
    PLAIN,
    TURNED,
    area_under,
    matched_area_under,
    mean_of,
    over_cases,
    variance,
)
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import PAPER, SELECTIONS
from shortlib.studies.stated import Stated
from shortlib.studies.verdicts import NotTestableError

# Which of a run's test cases go against the shortcut, by the data's `robust`.
ROBUST = {"turned": TURNED, "all": PLAIN, "subset": AGAINST}
# The specificity of labels, in the order of the paper's Figure 5.
LEVELS = {1: ("binary-erm", "image"), 2: ("boxes", "boxes"), 3: ("masks", "masks")}
SWEPT = ("masks", "boxes", "masks-ssl", "masks-spl")
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


def of(runs, variant, share=1.0):
    """Choose the runs of a variant and share, by seed, so that results are paired by seed.

    On stickers they are those of the least overlap among `runs`; see :func:`by_overlap`.
    """
    method = VARIANTS[variant]
    chosen = [
        run
        for run in _without_dial(runs)
        if run.request["method"] == method and run.settings["share"] == share
    ]
    return sorted(chosen, key=lambda run: run.seed)


def shares_of(runs, variant):
    """List the shares of training cases with labels that a variant was fitted on, rising."""
    method = VARIANTS[variant]
    return sorted({run.settings["share"] for run in runs if run.request["method"] == method})


def overall_auroc(runs, selection, share=1.0):
    """AUROC over all plain test cases, by model."""
    return _by_model(runs, selection, share, lambda chosen: PLAIN)


def robust_auroc(runs, selection, share=1.0):
    """AUROC on the test cases that go against the shortcut, by model."""
    return _by_model(runs, selection, share, _against)


def by_size(runs, selection=PAPER):
    """AUROC by model over all pairs of plain test cases, and over pairs of lesions of like size.

    Returns
    -------
    tuple of dict of str to Estimate
    """
    every = overall_auroc(runs, selection)
    alike = {
        title: matched_area_under(chosen, PLAIN, selection)
        for variant, title in VARIANTS.items()
        if (chosen := of(runs, variant))
    }
    return every, alike


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
        runs = _swept(runs)
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


def by_overlap(runs):
    """Sort runs on stickers by the share of a sticker that lies on the lesion."""
    found = {}
    for run in runs:
        drawn = run.settings["source"].get("drawn", {})
        if "overlap" in drawn:
            found.setdefault(float(drawn["overlap"]), []).append(run)
    return dict(sorted(found.items()))


def error_set_lift(runs, selection):
    """How much richer JTT's error set is in cases that the shortcut misleads."""
    chosen, name = of(runs, "binary-jtt"), VARIANTS["binary-jtt"]
    tables = _inferred(chosen)
    return {name: over_cases(tables, _lift)} if tables else {}


def purity_lift(runs, selection):
    """How much better GEORGE's groups tell the shortcut than classes do."""
    chosen, name = of(runs, "binary-george"), VARIANTS["binary-george"]
    tables = _inferred(chosen)
    return {name: over_cases(tables, _purer)} if tables else {}


def pixel_tables(runs):
    """Return the sums over positive pixels of each seed."""
    return [run.table("pixels") for run in of(runs, "masks")]


def sweep(runs, selection=PAPER, **costs):
    """Tabulate robust and overall AUROC against the labels that they took.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
    selection : str
    **costs
        ``seconds_per_click``, ``wage_per_hour`` and ``clicks`` (a dict with ``label``, ``boxes``
        and ``masks``); the paper's where they are not given.

    Returns
    -------
    pandas.DataFrame
        A row a model and share: ``model``, ``share``, ``cases``, ``positives`` (means over seeds),
        ``dollars``, ``robust`` and ``overall`` with the ends of their intervals, ``seeds``.
    """
    usual = _STATED.published()["costs"]
    clicks = {**usual["clicks"], **costs.pop("clicks", {})}
    rates = {name: usual[name] for name in ("seconds_per_click", "wage_per_hour")} | costs
    rows = []
    columns = ["model", "share", "cases", "positives", "dollars"]
    columns += [f"{n}{end}" for n in ("robust", "overall") for end in ("", "_low", "_high")]
    runs = _swept(runs)
    for variant in ("binary-erm", *SWEPT):
        kind = {"binary-erm": "label", "boxes": "boxes"}.get(variant, "masks")
        for share in shares_of(runs, variant):
            chosen = of(runs, variant, share)
            cases = np.mean([run.provenance["cases"]["train"] for run in chosen]) * share
            positives = np.mean([run.provenance["positives"]["train"] for run in chosen]) * share
            dollars = annotation_cost(round(positives), clicks=clicks[kind], **rates)
            row = {"model": VARIANTS[variant], "share": share, "cases": round(cases)}
            row |= {"positives": round(positives), "dollars": dollars}
            for name, view in (("robust", _against(chosen)), ("overall", PLAIN)):
                estimate = area_under(chosen, view, selection)
                low, high = estimate.interval()
                row |= {name: estimate.value, f"{name}_low": low, f"{name}_high": high}
            rows.append(row | {"seeds": len(chosen)})
    return pd.DataFrame(rows, columns=[*columns, "seeds"])


def _by_model(runs, selection, share, view):
    found = {}
    for variant, title in VARIANTS.items():
        chosen = of(runs, variant, share)
        if chosen:
            found[title] = area_under(chosen, view(chosen), selection)
    return found


def _swept(runs):
    """Keep the seeds that also have runs on a part of the cases, so that all stand on the same."""
    seeds = {run.seed for run in runs if run.settings["share"] < 1}
    return [run for run in runs if run.seed in seeds] if seeds else list(runs)


def _against(chosen):
    return ROBUST[chosen[0].settings["robust"]]


def _without_dial(runs):
    """Keep the first setting of the dial, where there is one."""
    dialled = by_overlap(runs)
    return next(iter(dialled.values())) if dialled else runs


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


def _inferred(runs):
    tables = []
    for run in runs:
        table = run.table("inferred")
        by = run.settings["group_by"]
        name = by if by in table else "shortcut"
        if name not in table:
            raise NotTestableError("nobody knows which training cases carry the shortcut")
        tables.append(table.assign(shortcut=table[name].astype(bool)))
    return tables


def _lift(table, counts):
    misled = (table["shortcut"] != (table["label"] == 1)).to_numpy(float)
    errors = table["error"].to_numpy(float)
    drawn = errors @ counts
    # A resample without an error has no error set.
    undefined = np.full(len(drawn), np.nan)
    share = np.divide((misled * errors) @ counts, drawn, out=undefined, where=drawn > 0)
    return share - misled @ counts / counts.sum(axis=0)


def _purer(table, counts):
    return _purity(table["group"], table, counts) - _purity(table["label"], table, counts)


def _purity(groups, table, counts):
    carries = table["shortcut"].to_numpy()
    most = np.zeros(counts.shape[1])
    for group in np.unique(groups):
        members = (groups == group).to_numpy()
        sides = [counts[members & (carries == one)].sum(axis=0) for one in (True, False)]
        most += np.maximum(*sides)
    return most / counts.sum(axis=0)


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
