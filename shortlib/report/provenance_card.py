"""A small card that says which runs a figure or a table was made from."""

from collections import Counter

DATA_NOTE = "checksum of the data"


def provenance_card(runs, *, title="Where this comes from"):
    """Write the card of a figure or table as a MyST dropdown.

    Parameters
    ----------
    runs : list of shortlib.runs.Run
        What it was computed from.
    title : str

    Returns
    -------
    str
        Markdown: study, profiles, seeds, commits, parameters, data checksum, device,
        time, and the modules whose code has changed since.
    """
    if not runs:
        return f":::{{dropdown}} {title}\nNo run is on disk.\n:::\n"
    facts = [run.provenance for run in runs]
    shared, differing = _settings(runs)
    changed = sorted({name for run in runs for name in run.changed_modules})
    hours = sum(f["wall_seconds"] for f in facts) / 3600
    lines = [
        f"- **Runs**: {len(runs)} of {_join(r.request['study'] for r in runs)}; "
        f"profile {_join(r.request['profile'] for r in runs)}; "
        f"seeds {_join(r.seed for r in runs)}",
        f"- **Commit**: {_join(_commit(f) for f in facts)}",
        "- **Parameters**: " + ", ".join(f"{k} {v}" for k, v in shared.items()),
        "- **Varied**: " + ("; ".join(f"{k}: {_join(v)}" for k, v in differing.items()) or "none"),
        f"- **Data**: {'. '.join(_data(runs))}",
        f"- **Device**: {_join(f['machine'] + ', ' + f['compute']['precision'] for f in facts)}",
        f"- **Time**: {hours:.2f} h of fitting in all; started {min(f['started'] for f in facts)}",
        f"- **Peak memory**: {max(f['peak_memory_mib'] for f in facts)} MiB a fit",
    ]
    if changed:
        lines.append(f"- **Code changed since**: {_join(changed)}")
    return f":::{{dropdown}} {title}\n" + "\n".join(lines) + "\n:::\n"


def _settings(runs):
    """Split settings into those that all runs share and those that differ."""
    flat = _flat(runs)
    shared, differing = {}, {}
    for name in dict.fromkeys(name for settings in flat for name in settings):
        values = list(dict.fromkeys(str(settings.get(name, "–")) for settings in flat))
        if len(values) == 1:
            shared[name] = values[0]
        else:
            differing[name] = values
    return shared, differing


def _flat(runs):
    """List settings of settings among the others, by as much of their path as tells them apart."""
    each = [dict(_leaves(run.settings)) for run in runs]
    paths = list(dict.fromkeys(path for leaves in each for path in leaves))
    names = {}
    for path in paths:
        ends = (path[-k:] for k in range(1, len(path) + 1))
        alone = (end for end in ends if sum(other[-len(end) :] == end for other in paths) == 1)
        names[path] = " ".join(next(alone, path))
    return [{names[path]: value for path, value in leaves.items()} for leaves in each]


def _leaves(settings, above=()):
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _commit(facts):
    if facts["commit"] is None:
        return "outside a checkout"
    return f"`{facts['commit'][:10]}`" + (" with changes not committed" if facts["dirty"] else "")


def _data(runs):
    """Say of each data set what its checksum is: of the test cases, else as it was stated."""
    checksums = {}
    for run in runs:
        parts = run.provenance.get("cohort_checksums", {})
        test = next((value for name, value in parts.items() if name.endswith("test")), None)
        stated = run.provenance.get("data_checksum", run.request["data_checksum"])
        said = f"`{test[:10]}` (test)" if test else f"`{stated[:10]}`"
        checksums.setdefault(run.request["data"], []).append(said)
    return [f"{data}; {DATA_NOTE}: {_join(said)}" for data, said in checksums.items()]


def _join(values):
    """List distinct values, the most frequent first, with counts where they differ."""
    counts = Counter(map(str, values))
    if len(counts) > 4 or all(n == 1 for n in counts.values()):
        return ", ".join(sorted(counts, key=lambda v: (len(v), v)))
    return ", ".join(v if len(counts) == 1 else f"{v} (×{n})" for v, n in counts.most_common())
