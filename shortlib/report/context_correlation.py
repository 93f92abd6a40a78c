"""Whether saliency in the heart goes with generalisation, over models; there and here."""

import numpy as np
import pandas as pd

from shortlib.metrics import fisher_interval
from shortlib.report.claim_tables import format_estimate
from shortlib.report.context_tables import printed
from shortlib.report.side_by_side import SOURCES
from shortlib.studies.cardiac_context.measures import correlation
from shortlib.studies.verdicts import NotTestableError

LOOKS = {
    ("aks", "transfer"): "AKS CM→ACDC (Figure 2)",
    ("aks", "cm"): "AKS CM (Section 4.3)",
    ("dice", "transfer"): "DSC CM→ACDC",
    ("dice", "cm"): "DSC CM",
}


def correlation_table(published, reference, here, *, digits=2):
    """Tabulate how saliency in the heart goes with the AUROC at the other hospital, over models.

    Parameters
    ----------
    published : dict
        As the study's ``published()`` returns it.
    reference, here, digits
        As for :func:`shortlib.report.context_tables.paper_table`.

    Returns
    -------
    pandas.DataFrame
        A row a measure of saliency and source: the number of models, Pearson's coefficient with
        its bootstrap interval (other patients, other seeds), and Fisher's interval (other
        models). The paper's coefficients are computed from its tables.
    """
    parts, rows = {"reference": reference, "this run": here}, []
    for (column, at), title in LOOKS.items():
        points = published_points(published, column, at=at)
        r = float(np.corrcoef(*zip(*points.values(), strict=True))[0, 1])
        rows.append(_line(title, "published", len(points), r, f"{r:.{digits}f}", digits))
        for source in SOURCES:
            try:
                measured, estimate = correlation(parts[source], column, at=at)
            except NotTestableError:
                continue
            said = format_estimate(estimate, digits)
            rows.append(_line(title, source, len(measured), estimate.value, said, digits))
    return pd.DataFrame(rows)


def published_points(published, column="aks", *, at="transfer"):
    """Return the paper's models as points: saliency in the heart, and AUROC elsewhere.

    Parameters
    ----------
    published : dict
    column : str
        ``"aks"`` or ``"dice"``.
    at : str
        The task in which the models look.

    Returns
    -------
    dict of str to tuple of float
        By model of Tables 1 and 2.
    """
    looks, aurocs = (printed(published, m) for m in (f"{column}_{at}", "auroc_transfer"))
    return {name: (looks[name], aurocs[name]) for name in looks if name in aurocs}


def _line(title, source, n, r, said, digits):
    low, high = fisher_interval(r, n)
    return {
        "saliency": title,
        "source": source,
        "models": n,
        "r [bootstrap over patients and seeds]": said,
        "Fisher's interval for so many models": f"[{low:.{digits}f}, {high:.{digits}f}]",
    }
