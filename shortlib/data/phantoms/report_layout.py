"""Sections, their order and their lines, in the manner of MIMIC-CXR's reports."""

import textwrap

import numpy as np

# Which sections hold what was found, and how often. "comparison": what was found
# follows the comparison without a name; "plain": no section holds it.
LAYOUTS = {
    "both": 0.62,
    "impression": 0.13,
    "findings": 0.10,
    "joined": 0.05,
    "comparison": 0.05,
    "plain": 0.05,
}
_WIDTH = 78


def lay_out(case, findings, impression, rng, text):
    """Arrange what was found into a report.

    Parameters
    ----------
    case : mapping
        ``view`` (``"PA"`` or ``"AP"``), ``sex`` (``"M"`` or ``"F"``), ``prior``.
    findings : list of str
        Sentences that say all that the report says.
    impression : list of str
        Sentences that repeat what is abnormal.
    rng : numpy.random.Generator
    text : callable
        ``text(rule, **slots)`` draws the other sections' text.

    Returns
    -------
    str
    """
    layout = str(rng.choice(list(LAYOUTS), p=np.array(list(LAYOUTS.values()))))
    body = " ".join(findings)
    parts = _before(case, rng, text)
    if layout == "both":
        parts += [("FINDINGS", body), (_impression_name(rng), _numbered(impression, rng))]
    elif layout == "impression":
        parts.append((_impression_name(rng), _numbered(findings, rng)))
    elif layout == "findings":
        parts.append(("FINDINGS", body))
    elif layout == "joined":
        name = ("FINDINGS AND IMPRESSION", "FINDINGS/IMPRESSION")[int(rng.integers(2))]
        parts.append((name, body))
    else:
        comparison = _comparison(case, text)
        parts = [part for part in parts if part[0] != "COMPARISON"]
        parts.append(("COMPARISON", f"{comparison}\n\n{body}") if layout == "comparison" else body)
    if layout in ("both", "impression") and rng.random() < 0.06:
        parts.append(("NOTIFICATION", text("notification")))
    if layout == "both" and rng.random() < 0.05:
        parts.append(("RECOMMENDATION(S)", text("recommendation") + "."))
    if rng.random() < 0.04:
        addendum = ("ADDENDUM", text("addendum") + ".")
        parts.insert(0 if rng.random() < 0.5 else len(parts), addendum)
    if layout != "plain" and rng.random() < 0.03:
        parts.insert(0, ("WET READ", f"___ ___ 10:42 PM\n {' '.join(impression)}"))
    return _render(parts, rng)


def _before(case, rng, text):
    view, who = case["view"], text(f"who_{case['sex']}")
    parts = []
    if rng.random() < 0.8:
        parts.append(("EXAMINATION", text(f"examination_{view}")))
    if rng.random() < 0.9:
        name = ("INDICATION", "HISTORY", "REASON FOR EXAM", "CLINICAL HISTORY")
        why = text("indication", who=who)
        parts.append((name[int(rng.choice(4, p=[0.6, 0.2, 0.1, 0.1]))], f"{why}."))
    if rng.random() < 0.6:
        parts.append(("TECHNIQUE", text(f"technique_{view}") + "."))
    if rng.random() < 0.9:
        parts.append(("COMPARISON", _comparison(case, text)))
    return parts


def _comparison(case, text):
    return text("comparison_prior" if case.get("prior") else "comparison_none")


def _impression_name(rng):
    return "CONCLUSION" if rng.random() < 0.03 else "IMPRESSION"


def _numbered(sentences, rng):
    if len(sentences) == 1 or rng.random() < 0.4:
        return " ".join(sentences)
    return "\n".join(f"{place}.  {text}" for place, text in enumerate(sentences, 1))


def _render(parts, rng):
    case = str.title if rng.random() < 0.04 else str.upper
    lines = [" " * 33 + "FINAL REPORT"] if rng.random() < 0.9 else []
    gap = rng.random() < 0.9
    for part in parts:
        name, content = part if isinstance(part, tuple) else (None, part)
        head = "" if name is None else f"{case(name)}:"
        if name is not None and ("\n" in content or (gap and len(content) > _WIDTH)):
            lines += [f" {head}", " "]
        elif name is not None:
            content = f"{head}  {content}"
        for line in content.split("\n"):
            lines += [f" {row}" for row in _wrap(line)] or [" "]
        lines += [" "] if gap else []
    return "\n".join(lines).rstrip() + "\n"


def _wrap(line):
    return textwrap.wrap(line, _WIDTH, break_on_hyphens=False)
