"""Verdicts as tables, and the check that prose says what the runs say."""

import re
from pathlib import Path

import nbformat
import pandas as pd

from shortlib.studies.verdicts import VERDICTS, rule_in_words

COLUMNS = (
    *("id", "claim", "setting", "place", "published", "ours [95% interval]", "rule"),
    *("verdict", "n", "seeds", "profile", "data"),
)

PAGE_COLUMNS = ("claim", "published", "rule", "verdict and estimate [95% interval]")

# A verdict in prose is written [reproduced]{.verdict .normals-align-minibatch}.
IN_PROSE = re.compile(r"\[([^\[\]]+)\]\{\.verdict \.([\w-]+)\}")


def format_estimate(estimate, digits=3):
    """Write an estimate with its 95% interval, e.g. ``"0.912 [0.870, 0.951]"``."""
    if estimate is None:
        return "–"
    if estimate.exact:
        return f"{estimate.value:.{digits}g}"
    # Adding zero to what was rounded turns -0.00 into 0.00.
    value, low, high = (
        f"{round(number, digits) + 0.0:.{digits}f}"
        for number in (estimate.value, *estimate.interval())
    )
    return f"{value} [{low}, {high}]"


def verdict_table(verdicts):
    """Tabulate verdicts, one row each.

    Parameters
    ----------
    verdicts : list of shortlib.studies.verdicts.Verdict

    Returns
    -------
    pandas.DataFrame
        Strings, ready to print.
    """
    rows = [
        {
            "id": v.id,
            "claim": " ".join(v.claim["sentence"].split()),
            "setting": v.group or "any",
            "place": v.claim["place"],
            "published": v.claim["published"],
            "ours [95% interval]": format_estimate(v.effect),
            "rule": rule_in_words(v.claim["rule"], v.claim["dial"]),
            "verdict": v.verdict + (f" ({v.reason})" if v.reason else ""),
            "n": v.effect.n if v.effect and v.effect.n else "–",
            "seeds": v.effect.seeds if v.effect and v.effect.seeds else "–",
            "profile": v.profile,
            "data": v.data,
        }
        for v in verdicts
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def verdict_page_table(verdicts):
    """Tabulate verdicts for a page of the book, one row a claim, in MyST.

    The last column has a paragraph for each setting: the verdict as a badge, the
    estimate with its interval, the number of cases and of seeds.
    """
    rows = {}
    for v in verdicts:
        row = rows.setdefault(
            v.claim["id"],
            {
                "claim": " ".join(v.claim["sentence"].split()),
                "published": v.claim["published"],
                "rule": rule_in_words(v.claim["rule"], v.claim["dial"]),
                PAGE_COLUMNS[-1]: [],
            },
        )
        setting = f"{v.group}: " if v.group else ""
        row[PAGE_COLUMNS[-1]].append(f"{setting}[{v.verdict}]{{.verdict .{v.id}}} {_basis(v)}")
    table = pd.DataFrame(rows.values(), columns=PAGE_COLUMNS)
    return table.map(lambda cell: "\n\n".join(cell) if isinstance(cell, list) else cell)


def _basis(verdict):
    """Say what a verdict rests on: the estimate, cases and seeds, or why there is none."""
    effect = verdict.effect
    if effect is None:
        return verdict.reason
    if effect.exact:
        return f"by formula; the step that goes least that way is {effect.value:+.3g}"
    seeds = "1 seed" if effect.seeds == 1 else f"{effect.seeds} seeds"
    return f"{format_estimate(effect)}, n = {effect.n}, {seeds}"


def epochs_in_words(selection):
    """Return how epochs were chosen, e.g. ``"epochs chosen by test loss"``."""
    return "last epochs" if selection == "last" else f"epochs chosen by {selection} loss"


def stands_on(verdicts):
    """Return a MyST list of the runs that each verdict stands on."""
    lines = []
    for v in verdicts:
        window = v.claim["rule"]["window"]
        about = [
            v.claim["place"],
            f"Metric: {' '.join(v.claim['definition'].split())}",
            f"Window {window['size']:g}: {window['from']}",
            v.reason,
        ]
        if v.runs:
            about.append(
                f"Profile {v.profile}, data {v.data}, {epochs_in_words(v.selection)}. "
                f"Runs: {', '.join(f'`{name}`' for name in v.runs)}"
            )
        lines.append(f"`{v.id}`\n: {'. '.join(filter(None, about))}.\n")
    return "\n".join(lines)


def window_sensitivity(verdicts):
    """Count the verdicts that change when every window is halved or doubled.

    Returns
    -------
    pandas.DataFrame
        One row a factor: how many of how many change, and which.
    """
    rows = []
    for factor in (0.5, 2.0):
        other = [v.with_window_times(factor) for v in verdicts]
        changed = [
            f"{v.id}: {v.verdict} → {o.verdict}"
            for v, o in zip(verdicts, other, strict=True)
            if v.verdict != o.verdict
        ]
        rows.append(
            {
                "windows": {0.5: "halved", 2.0: "doubled"}[factor],
                "verdicts that change": f"{len(changed)} of {len(verdicts)}",
                "which": "; ".join(changed) or "none",
            }
        )
    return pd.DataFrame(rows)


def tally(verdicts):
    """Count verdicts by kind, in the order of `VERDICTS`."""
    return {kind: sum(v.verdict == kind for v in verdicts) for kind in VERDICTS}


def contradictions(folder, verdicts):
    """Find verdicts in prose that differ from what the runs say.

    Parameters
    ----------
    folder : pathlib.Path
        Searched for Markdown pages and notebooks.
    verdicts : list of shortlib.studies.verdicts.Verdict

    Returns
    -------
    list of str
        One sentence each; empty when prose and runs agree.
    """
    now = {v.id: v.verdict for v in verdicts}
    found = []
    for page in sorted(p for p in Path(folder).rglob("*") if p.suffix in (".md", ".ipynb")):
        for said, claim in IN_PROSE.findall(_prose(page)):
            if claim not in now:
                found.append(f"{page.name}: no claim is called {claim!r}")
            elif " ".join(said.split()) != now[claim]:
                found.append(
                    f"{page.name}: says {said!r} of {claim}, but the runs say {now[claim]!r}"
                )
    return found


def _prose(page):
    """Read the text of a page: all of a Markdown file, the Markdown cells of a notebook."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    cells = nbformat.read(page, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
