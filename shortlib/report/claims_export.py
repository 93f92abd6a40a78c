"""The book's verdicts: every claim of every study, judged on the reference runs."""

from pathlib import Path

import pandas as pd

from shortlib.report import claim_tables as tables
from shortlib.report.parameters import reference_runs
from shortlib.report.provenance_card import provenance_card
from shortlib.studies.registry import STUDIES, load_study
from shortlib.studies.verdicts import verdicts_of


def all_verdicts(store, *, profile="reference", selection=None, studies=STUDIES):
    """Judge the claims of several studies on the runs of a profile that are on disk.

    Parameters
    ----------
    store : shortlib.runs.Store
    profile : str
    selection : str, optional
        The rule by which epochs were chosen; by default each study's first. A study that
        does not have the rule is left out.
    studies : sequence of str

    Returns
    -------
    dict of str to list of shortlib.studies.verdicts.Verdict
        By study; nothing is fitted.

    Raises
    ------
    ValueError
        If none of the studies has the rule; lists those there are.
    """
    rules = {name: load_study(name).SELECTIONS for name in studies}
    if selection and not any(selection in known for known in rules.values()):
        known = ", ".join(dict.fromkeys(rule for known in rules.values() for rule in known))
        raise ValueError(f"selection must be one of {known}, got {selection!r}")
    return {
        name: verdicts_of(
            load_study(name), reference_runs(name, store, profile=profile), selection=selection
        )
        for name in studies
        if not selection or selection in rules[name]
    }


def other_verdicts(store, *, profile="reference", studies=STUDIES):
    """Judge the claims of the studies that have two selection rules under the second one.

    Returns
    -------
    dict of str to list of shortlib.studies.verdicts.Verdict
        By study, as :func:`all_verdicts`.
    """
    second = {name: load_study(name).SELECTIONS[1:] for name in studies}
    return {
        name: all_verdicts(store, profile=profile, selection=rules[0], studies=[name])[name]
        for name, rules in second.items()
        if rules
    }


def export_verdicts(verdicts, other, runs, folder):
    """Write the tables of the claims page and of the chapters.

    Parameters
    ----------
    verdicts : dict of str to list of Verdict
        Under the paper's selection rule, by study.
    other : dict of str to list of Verdict
        Under the second rule of the studies that have two.
    runs : dict of str to list of shortlib.runs.Run
        What the verdicts stand on, by study.
    folder : pathlib.Path
        Gets ``<study>.csv``, ``<study>-selection.csv`` where there are two rules,
        ``<study>-stands-on.md``, ``<study>.card.md``, ``studies.md`` (which puts them
        together), ``sensitivity.csv`` and ``tally.md``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for study, judged in verdicts.items():
        tables.verdict_page_table(judged).to_csv(folder / f"{study}.csv", index=False)
        if study in other:
            differing = selection_table(judged, other[study], load_study(study).SELECTION_WORDS)
            differing.to_csv(folder / f"{study}-selection.csv", index=False)
        (folder / f"{study}-stands-on.md").write_text(tables.stands_on(judged), encoding="utf-8")
        (folder / f"{study}.card.md").write_text(provenance_card(runs[study]), encoding="utf-8")
    sections = [study_section(load_study(name), two_rules=name in other) for name in verdicts]
    (folder / "studies.md").write_text("\n".join(sections), encoding="utf-8")
    everything = [v for judged in verdicts.values() for v in judged]
    tables.window_sensitivity(everything).to_csv(folder / "sensitivity.csv", index=False)
    counted = {kind: n for kind, n in tables.tally(everything).items() if n}
    text = ", ".join(f"**{n}** {kind}" for kind, n in counted.items())
    (folder / "tally.md").write_text(f"{text}.\n", encoding="utf-8")


def study_section(study, *, two_rules):
    """Write a study's part of the claims page, in MyST; paths are relative to that page.

    Parameters
    ----------
    study : module
    two_rules : bool
        Whether there is a table of verdicts under another selection rule.

    Returns
    -------
    str
    """
    made, name = f"generated/claims/{study.NAME}", study.NAME
    parts = [
        f"## {study.TITLE}",
        study.CLAIMS_OF,
        _table(
            "All claims of the study and their verdicts on the reference runs.",
            name=f"tab-claims-{name}",
            file=f"{made}.csv",
        ),
        f"```{{include}} {made}.card.md\n```",
    ]
    if two_rules:
        first, second = (study.SELECTION_WORDS[rule] for rule in study.SELECTIONS[:2])
        parts += [
            f"### If the epoch is chosen by {second}",
            f"The verdicts above choose the epoch as the paper does, by {first}. Where the "
            f"estimate differs under {second}:",
            _table(
                "Estimates and verdicts under the two selection rules.",
                name=f"tab-selection-{name}",
                file=f"{made}-selection.csv",
            ),
        ]
    parts += ["### What each verdict stands on", f"```{{include}} {made}-stands-on.md\n```"]
    return "\n\n".join(parts) + "\n"


def _table(caption, *, name, file):
    options = {"name": name, "file": file, "header-rows": 1, "widths": "auto"}
    lines = "\n".join(f":{option}: {value}" for option, value in options.items())
    return f"```{{csv-table}} {caption}\n{lines}\n```"


def selection_table(verdicts, other, words):
    """Tabulate the claims whose estimate depends on how the epoch was chosen.

    Parameters
    ----------
    verdicts, other : list of Verdict
        Of the same claims, under two selection rules.
    words : dict of str to str
        Each rule in words.

    Returns
    -------
    pandas.DataFrame
        One row a claim; one row that says so when there is none.
    """
    rows = [
        {
            "claim": f"`{v.id}`",
            f"epoch by {words[v.selection]}": tables.format_estimate(v.effect),
            "verdict": v.verdict,
            f"epoch by {words[o.selection]}": tables.format_estimate(o.effect),
            "verdict then": o.verdict,
        }
        for v, o in zip(verdicts, other, strict=True)
        if v.effect is not None and o.effect is not None and v.effect.value != o.effect.value
    ]
    return pd.DataFrame(rows or [{"claim": "none: the two rules give the same estimates"}])
