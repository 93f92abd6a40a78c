"""What the book says of each data set: a card from its manifest and from what a check found."""

import warnings

from IPython.display import Markdown, display

from shortlib.data.manifest import load_manifest, manifest_names
from shortlib.data.phantoms.make import make
from shortlib.data.sets import read_index
from shortlib.data.verify import verify
from shortlib.report.preview import contact_sheet

ORDER = ("built-in", "open", "by hand", "credentialed", "own")
ACCESS = {
    "built-in": "made by the program",
    "open": "fetched by the program",
    "by hand": "open; to be downloaded by hand",
    "credentialed": "after an agreement with those who hold it",
    "own": "yours",
}


def names_by_access():
    """Return the names of all data sets, those that need least first.

    Returns
    -------
    dict of str to list of str
    """
    manifests = [load_manifest(name) for name in manifest_names()]
    found = {kind: [m.name for m in manifests if m.access == kind] for kind in ORDER}
    return {kind: names for kind, names in found.items() if names}


def overview():
    """Return one row a data set: name, what it is, how many, access, licence.

    Returns
    -------
    list of dict
    """
    rows = []
    for kind, names in names_by_access().items():
        for name in names:
            manifest = load_manifest(name)
            rows.append(
                {
                    "name": f"`{name}`",
                    "what": manifest.title,
                    "cases": _number(manifest.counts.cases),
                    "access": ACCESS[kind],
                    "licence": manifest.licence.name,
                }
            )
    return rows


def card(manifest, report=None):
    """Describe one data set in Markdown.

    Parameters
    ----------
    manifest : shortlib.data.manifest.Manifest
    report : shortlib.data.verify.Report, optional
        Of the data set as it is on this machine.

    Returns
    -------
    str
    """
    licence = manifest.licence
    linked = f"[{licence.name}]({licence.url})" if licence.url else licence.name
    lines = [
        f"### {manifest.title}",
        "",
        manifest.summary,
        "",
        "| | |",
        "|---|---|",
        f"| name | `{manifest.name}` |",
        f"| how many | {_how_many(manifest, report)} |",
        f"| images | {manifest.images.format}, {manifest.images.size} |",
        f"| access | {_access(manifest)} |",
        f"| licence | {linked}{_sentence(licence.note)} |",
        f"| splits | {', '.join(manifest.splits.names)}. {manifest.splits.rule} |",
        f"| checked here | {_checked(report)} |",
        "",
    ]
    for title, sentences in (("Steps", manifest.steps), ("Mind", manifest.quirks)):
        if sentences:
            lines += [f"**{title}.**", "", *(f"- {text}" for text in sentences), ""]
    if manifest.citations:
        works = "; ".join(citation.text for citation in manifest.citations)
        lines += [f"**To be cited.** {works}", ""]
    return "\n".join(lines)


def show_built_in(name, folder, overrides=None):
    """Make a built-in set where it is missing, check it, and show its card.

    Parameters
    ----------
    name : str
    folder : pathlib.Path
        Holds a folder for each data set that is here.
    overrides : dict of str to dict, optional
        By name of data set, parameters of :func:`shortlib.data.phantoms.make.make`; only
        used when it is made now.

    Returns
    -------
    matplotlib.figure.Figure
        Some of its cases.
    """
    root = folder / name
    if not root.exists():
        make(name, root, **(overrides or {}).get(name, {}))
    manifest = load_manifest(name)
    display(Markdown(card(manifest, verify(name, root))))
    return contact_sheet(read_index(name, root), n=12, title=manifest.title)


def show_cards(names, folder, *, sample=200):
    """Show the cards of data sets, without images; check those that are here.

    Parameters
    ----------
    names : sequence of str
    folder : pathlib.Path
        Holds a folder for each data set that is here.
    sample : int
        Cases that are opened for the check.
    """
    for name in names:
        root, report = folder / name, None
        if root.is_dir():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # it is all in the report
                report = verify(name, root, sample=sample)
        display(Markdown(card(load_manifest(name), report)))


def _how_many(manifest, report):
    counts = manifest.counts
    if report is not None and report.labels is not None:
        found = next((c.found for c in report.checks if c.what == "cases"), None)
        if found:
            return f"{_number(int(found))} here" + (
                f", {_number(counts.cases)} stated" if counts.cases else ""
            )
    if counts.cases is None:
        return "not stated"
    labels = ", ".join(f"{name} {_number(n)}" for name, n in counts.labels.items())
    return _number(counts.cases) + (f" ({labels})" if labels else "")


def _access(manifest):
    page = f" ([page]({manifest.homepage}))" if manifest.homepage else ""
    return ACCESS[manifest.access] + page


def _checked(report):
    if report is None:
        return "not here"
    read = [check.due for check in report.checks if check.what == "cases that can be read"]
    opened = f"; cases opened: {read[0]}" if read else ""
    failed = [check.what for check in report.checks if check.state == "failed"]
    done = sum(check.state == "ok" for check in report.checks)
    if failed:
        return (
            f"**{len(failed)} of {len(failed) + done} checks failed**: {', '.join(failed)}{opened}"
        )
    return f"all of {done} checks passed{opened}"


def _sentence(text):
    return f". {text}" if text else ""


def _number(n):
    return "" if n is None else f"{n:,}"
