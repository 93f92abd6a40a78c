"""Robustness against the labels that it took."""

import numpy as np
import pandas as pd

from shortlib.metrics.cost import annotation_cost
from shortlib.studies.spatial_specificity.choosing import against, of, shares_of, swept
from shortlib.studies.spatial_specificity.resampled import PLAIN, area_under
from shortlib.studies.spatial_specificity.variants import VARIANTS
from shortlib.studies.spatial_specificity.watching import PAPER
from shortlib.studies.stated import Stated

# Variants that are fitted on parts of the training cases.
SWEPT = ("masks", "boxes", "masks-ssl", "masks-spl")
_STATED = Stated(__package__)


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
    runs = swept(runs)
    for variant in ("binary-erm", *SWEPT):
        kind = {"binary-erm": "label", "boxes": "boxes"}.get(variant, "masks")
        for share in shares_of(runs, variant):
            chosen = of(runs, variant, share)
            cases = np.mean([run.provenance["cases"]["train"] for run in chosen]) * share
            positives = np.mean([run.provenance["positives"]["train"] for run in chosen]) * share
            dollars = annotation_cost(round(positives), clicks=clicks[kind], **rates)
            row = {"model": VARIANTS[variant], "share": share, "cases": round(cases)}
            row |= {"positives": round(positives), "dollars": dollars}
            for name, view in (("robust", against(chosen)), ("overall", PLAIN)):
                estimate = area_under(chosen, view, selection)
                low, high = estimate.interval()
                row |= {name: estimate.value, f"{name}_low": low, f"{name}_high": high}
            rows.append(row | {"seeds": len(chosen)})
    return pd.DataFrame(rows, columns=[*columns, "seeds"])
