"""The book's verdicts: every claim of every study, judged on the reference runs."""

from pathlib import Path

import pandas as pd

from shortlib.report import claim_tables as tables
from shortlib.report.parameters import reference_runs
from shortlib.report.provenance_card import provenance_card
from shortlib.studies.registry import STUDIES, load_study
from shortlib.studies.verdicts import verdicts_of


def all_verdicts(store, *, profile="reference", selection="test", studies=STUDIES):
    """Judge the claims of several studies on the runs of a profile that are on disk.

    Parameters
    ----------
    store : shortlib.runs.Store
    profile : str
    selection : str
        The rule by which epochs were chosen.
    studies : sequence of str

    Returns
    -------
    dict of str to list of shortlib.studies.verdicts.Verdict
        By study; nothing is fitted.
    """
    return {
        name: verdicts_of(
            load_study(name), reference_runs(name, store, profile=profile), selection=selection
        )
        for name in studies
    }


def export_verdicts(verdicts, other, runs, folder):
    """Write the tables of the claims page and of the chapters.

    Parameters
    ----------
    verdicts : dict of str to list of Verdict
        Under the paper's selection rule, by study.
    other : dict of str to list of Verdict
        Under a validation set's.
    runs : dict of str to list of shortlib.runs.Run
        What the verdicts stand on, by study.
    folder : pathlib.Path
        Gets ``<study>.csv``, ``<study>-selection.csv``, ``<study>-stands-on.md``,
        ``<study>.card.md``,
        ``sensitivity.csv`` and ``tally.md``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for study, judged in verdicts.items():
        tables.verdict_page_table(judged).to_csv(folder / f"{study}.csv", index=False)
        selection_table(judged, other[study]).to_csv(folder / f"{study}-selection.csv", index=False)
        (folder / f"{study}-stands-on.md").write_text(tables.stands_on(judged), encoding="utf-8")
        (folder / f"{study}.card.md").write_text(provenance_card(runs[study]), encoding="utf-8")
    everything = [v for judged in verdicts.values() for v in judged]
    tables.window_sensitivity(everything).to_csv(folder / "sensitivity.csv", index=False)
    counted = {kind: n for kind, n in tables.tally(everything).items() if n}
    text = ", ".join(f"**{n}** {kind}" for kind, n in counted.items())
    (folder / "tally.md").write_text(f"{text}.\n", encoding="utf-8")


def selection_table(verdicts, other):
    """Tabulate the claims whose estimate depends on how the epoch was chosen.

    Returns
    -------
    pandas.DataFrame
        One row a claim; one row that says so when there is none.
    """
    rows = [
        {
            "claim": f"`{v.id}`",
            "epoch by test loss": tables.format_estimate(v.effect),
            "verdict": v.verdict,
            "epoch by validation loss": tables.format_estimate(o.effect),
            "verdict then": o.verdict,
        }
        for v, o in zip(verdicts, other, strict=True)
        if v.effect is not None and o.effect is not None and v.effect.value != o.effect.value
    ]
    return pd.DataFrame(rows or [{"claim": "none: the two rules give the same estimates"}])
