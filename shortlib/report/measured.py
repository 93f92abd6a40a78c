"""Measures of a study where its runs can tell, and nothing where they cannot."""

from shortlib.studies.verdicts import NotTestableError


def measured_or_nothing(estimates, metric, runs, **options):
    """Measure a metric of a study.

    Parameters
    ----------
    estimates : callable
        The study's own.
    metric : str
    runs : list of shortlib.runs.Run
    **options
        Passed on, e.g. ``selection``.

    Returns
    -------
    dict
        As `estimates` returns it; empty without runs, and where these runs cannot tell.
    """
    try:
        return estimates(metric, runs, **options) if runs else {}
    except NotTestableError:
        return {}
