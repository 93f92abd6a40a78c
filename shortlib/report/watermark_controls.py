"""Tables of the watermark study's controls, of its maps' completeness and of real radiographs."""

import pandas as pd

from shortlib.data.views import VIEWS
from shortlib.report.claim_tables import format_estimate
from shortlib.report.watermark_maps import ARMS, read_saliency
from shortlib.report.watermark_tables import AVERAGE, EMPTY
from shortlib.studies.clip_watermarks.controls import NEW_HEAD, new_head
from shortlib.studies.clip_watermarks.measures import METHODS, MODELS, by_finding

HEADS = {
    "own head": "CNN, last layer kept",
    NEW_HEAD: "CNN, last layer new",
    "CLIP": "CLIP (last layer new)",
    "difference": "CLIP − CNN with new layer (paired)",
}


def new_head_table(reference, here, *, digits=2):
    """Tabulate shortcut-trained models by whether their last layer was new in fine-tuning.

    Parameters
    ----------
    reference, here : list of shortlib.runs.Run
        Each of one profile, both of the same data set.
    digits : int

    Returns
    -------
    pandas.DataFrame
        One row a test view and source.
    """
    rows = []
    parts = {"reference": new_head(reference), "this run": new_head(here)}
    for view in VIEWS:
        for source, measured in parts.items():
            cells = {"test view": view, "source": source}
            if view in measured:
                estimates = measured[view]
                cells |= {HEADS[k]: format_estimate(estimates[k], digits) for k in HEADS}
            else:
                cells |= dict.fromkeys(HEADS.values(), EMPTY[source])
            rows.append(cells)
    return pd.DataFrame(rows)


def completeness_table(runs):
    """Tabulate how well the maps add up to the outputs that they explain.

    The sum of integrated gradients approaches the output's difference from the black image as
    the number of steps grows; what is missing says how coarse the steps were.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        Of one data set and profile; those of the main variants have maps.

    Returns
    -------
    pandas.DataFrame
        One row a method and arm: number of maps, the mean of the absolute difference that is to be
        explained, the mean and 95th percentile of the absolute gap, and the first as a share of
        the difference.
    """
    if not any(run.request["variant"] in METHODS and run.settings["saliency"] for run in runs):
        return pd.DataFrame([{"model": "no maps were asked for"}])
    table, rows = read_saliency(runs), []
    for method, title in METHODS.items():
        mine = table[table["method"] == method]
        for arm, trained in ARMS.items():
            whole = mine[f"difference_{arm}"].abs()
            gap = (mine[f"sum_{arm}"] - mine[f"difference_{arm}"]).abs()
            if len(mine):
                rows.append(
                    {
                        "model": f"{title}, {trained}",
                        "maps": len(mine),
                        "output's difference (mean)": f"{whole.mean():.3f}",
                        "gap (mean)": f"{gap.mean():.3f}",
                        "gap (95th percentile)": f"{gap.quantile(0.95):.3f}",
                        "mean gap / mean difference": f"{gap.mean() / whole.mean():.1%}",
                    }
                )
    return pd.DataFrame(rows)


def views_table(groups, data, *, digits=2):
    """Tabulate the mean AUROC of all models in the three test views, for several data sets.

    Parameters
    ----------
    groups : dict of str to list of shortlib.runs.Run
        By data set, each of one profile.
    data : sequence of str
        What to show; a data set without runs says so.
    digits : int

    Returns
    -------
    pandas.DataFrame
        One row a data set and model.
    """
    rows = []
    for name in data:
        measured = {view: by_finding(groups.get(name, []), view) for view in VIEWS}
        there = [model for model in MODELS if model in measured["plain"]]
        for model in there:
            cells = {
                view: format_estimate(parts[model][AVERAGE], digits)
                for view, parts in measured.items()
            }
            n = measured["plain"][model][AVERAGE].n
            rows.append({"data": name, "model": model, **cells, "n": n})
        if not there:
            empty = dict.fromkeys(VIEWS, "–")
            rows.append({"data": name, "model": EMPTY["reference"], **empty, "n": "–"})
    return pd.DataFrame(rows, columns=["data", "model", *VIEWS, "n"])
