"""What data sets there are, which are here, and what the others need."""

import textwrap

import pandas as pd

from shortlib.data.fetch import RECORD as FETCHED
from shortlib.data.manifest import load_manifest, manifest_names
from shortlib.data.phantoms.make import RECORD as MADE
from shortlib.data.placing import is_taken
from shortlib.data.sets import root_of

WIDTH = 96


def overview():
    """List every data set: what it is, whether it is here, and what to do otherwise.

    Returns
    -------
    pandas.DataFrame
        One row each, with ``name``, ``cases`` (as the manifest states them),
        ``access``, ``here`` and ``to get it``.
    """
    rows = []
    for name in manifest_names():
        manifest = load_manifest(name)
        state = state_of(name)
        rows.append(
            {
                "name": name,
                "cases": "" if manifest.counts.cases is None else f"{manifest.counts.cases:,}",
                "access": manifest.access,
                "here": state,
                "to get it": _needs(manifest) if state in ("no", "begun") else "",
            }
        )
    return pd.DataFrame(rows)


def state_of(name, root=None):
    """Return ``"fetched"``, ``"made"``, ``"yes"``, ``"begun"`` or ``"no"``: whether a set is here.

    ``"yes"`` is a folder that neither fetch nor make wrote.
    """
    place = root_of(name, root)
    if is_taken(place):
        return {FETCHED: "fetched", MADE: "made"}.get(
            next((record for record in (FETCHED, MADE) if (place / record).is_file()), None), "yes"
        )
    return "begun" if place.with_name(f".{place.name}.partial").is_dir() else "no"


def describe(name, root=None):
    """Return all that a manifest says, for a person to read.

    Returns
    -------
    str
    """
    manifest, place = load_manifest(name), root_of(name, root)
    counts, split = manifest.counts, manifest.splits
    parts = [
        f"{manifest.title}\n{'=' * len(manifest.title)}",
        _paragraph(manifest.summary),
        _line("name", name),
        _line("access", manifest.access),
        _line("here", {"no": "no", "begun": "fetching was begun"}.get(state_of(name, root), "yes")),
        _line("place", str(place)),
        _line("home page", manifest.homepage),
        _line("licence", manifest.licence.name, manifest.licence.url, manifest.licence.note),
        _line(
            "images",
            f"{manifest.images.format}, {manifest.images.size}, "
            f"{manifest.images.channels} channel{'s' * (manifest.images.channels > 1)}",
        ),
        _line("layout", f"{manifest.layout}{_options(manifest.options)}"),
        _line("cases", _number(counts.cases)),
        _line("patients", _number(counts.patients)),
        _line("labels", ", ".join(f"{label} {n:,}" for label, n in counts.labels.items()) or None),
        _line(
            "splits",
            ", ".join(
                f"{part} {counts.splits[part]:,}" if part in counts.splits else part
                for part in split.names
            ),
            split.rule,
            None if split.seed is None else f"seed {split.seed}",
        ),
    ]
    parts.append(_block("Tree", manifest.tree.rstrip().splitlines(), wrap=False))
    parts.append(_block("How to get it", [*_enumerated(manifest.steps), *_ways(manifest, name)]))
    parts.append(_block("What is checked", _dashed(manifest.checks)))
    parts.append(_block("What to know", _dashed(manifest.quirks)))
    parts.append(_block("To cite", _dashed(citation.text for citation in manifest.citations)))
    return "\n".join(part for part in parts if part)


def _ways(manifest, name):
    if manifest.make is not None:
        settings = ", ".join(f"{key} {value}" for key, value in manifest.make.parameters.items())
        return [f"{manifest.how_to_get()} ({settings})"]
    ways = []
    if manifest.access == "open":
        ways.append(f"{manifest.how_to_get()}, every original checked against its SHA-256")
        if manifest.file_list:
            ways.append(
                f"originals: {manifest.file_list.url}, listed in {manifest.file_list.table}"
            )
        ways += [f"{file.url} (SHA-256 {file.sha256})" for file in manifest.files]
    if manifest.access in ("open", "by hand"):
        ways.append(f"from a mirror: `shortlib data fetch {name} --from FOLDER`")
    for item in manifest.by_hand:
        needed = "by hand" if item.needed else "by hand, may be left out"
        ways.append(f"{needed}: {item.path} from {item.url}. {item.why} Checksum: not known.")
    return _dashed(ways)


def _needs(manifest):
    return {
        "open": f"shortlib data fetch {manifest.name}",
        "built-in": f"shortlib data make {manifest.name}",
        "credentialed": f"an agreement: shortlib data show {manifest.name}",
        "own": f"your own data: shortlib data show {manifest.name}",
    }.get(manifest.access, f"a download by hand: shortlib data show {manifest.name}")


def _options(options):
    return f" ({', '.join(f'{key} {value}' for key, value in options.items())})" if options else ""


def _number(value):
    return "not stated" if value is None else f"{value:,}"


def _line(what, *values):
    said = ". ".join(value.rstrip(".") for value in values if value)
    if not said:
        return ""
    return textwrap.fill(said, WIDTH, initial_indent=f"{what:<10} ", subsequent_indent=" " * 11,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def _paragraph(text):
    return textwrap.fill(text, WIDTH) + "\n"


def _block(title, lines, wrap=True):
    lines = list(lines)
    if not lines:
        return ""
    if wrap:
        lines = [
            textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="     ",
                          break_long_words=False, break_on_hyphens=False)
            for line in lines
        ]  # fmt: skip
    else:
        lines = [f"  {line}" for line in lines]
    return "\n".join(["", title, *lines])


def _dashed(lines):
    return [f"-  {line}" for line in lines]


def _enumerated(lines):
    return [f"{n}. {line}" for n, line in enumerate(lines, start=1)]
