"""Radiology reports: their sections, and the short text that goes with an image."""

import re

# Canonical name of a section to the ways in which reports spell it.
SPELLINGS = {
    "FINDINGS": ("FINDING", "FINDINGS", "REPORT FINDINGS"),
    "IMPRESSION": (
        "IMPRESSION",
        "IMPRESSIONS",
        "IMPRESION",
        "IMPRESSON",
        "FINAL IMPRESSION",
        "IMPRESSION AND RECOMMENDATION",
        "IMPRESSION AND RECOMMENDATIONS",
        "IMPRESSION/RECOMMENDATION",
        "IMPRESSION/RECOMMENDATIONS",
        "CONCLUSION",
        "CONCLUSIONS",
        "OPINION",
        "INTERPRETATION",
    ),
    "FINDINGS AND IMPRESSION": (
        "FINDINGS AND IMPRESSION",
        "FINDINGS AND IMPRESSIONS",
        "FINDINGS & IMPRESSION",
        "FINDINGS/IMPRESSION",
        "FINDINGS / IMPRESSION",
        "FINDING AND IMPRESSION",
        "FINDINGS IMPRESSION",
        "IMPRESSION AND FINDINGS",
        "IMPRESSION/FINDINGS",
    ),
    "COMPARISON": (
        "COMPARISON",
        "COMPARISONS",
        "COMPARISION",
        "COMPARISON STUDY",
        "COMPARISON STUDIES",
        "COMPARISON EXAM",
        "COMPARISON EXAMINATION",
        "COMPARISON FILM",
        "COMPARISON FILMS",
        "PRIOR STUDY",
        "PRIOR STUDIES",
    ),
    "INDICATION": (
        "INDICATION",
        "INDICATIONS",
        "CLINICAL INDICATION",
        "CLINICAL INDICATIONS",
        "REASON FOR EXAM",
        "REASON FOR EXAMINATION",
        "REASON FOR THE EXAM",
        "REASON FOR THE EXAMINATION",
        "REASON FOR THIS EXAMINATION",
        "REASON FOR STUDY",
        "REASON",
    ),
    "HISTORY": (
        "HISTORY",
        "CLINICAL HISTORY",
        "PATIENT HISTORY",
        "MEDICAL HISTORY",
        "CLINICAL INFORMATION",
    ),
    "TECHNIQUE": ("TECHNIQUE", "TECHNIQUES"),
    "EXAMINATION": ("EXAM", "EXAMS", "EXAMINATION", "EXAMINATIONS", "STUDY", "TYPE OF EXAMINATION"),
    "PROCEDURE": ("PROCEDURE", "PROCEDURES"),
    "RECOMMENDATION": ("RECOMMENDATION", "RECOMMENDATIONS"),
    "NOTIFICATION": ("NOTIFICATION", "NOTIFICATIONS"),
    "WET READ": ("WET READ", "WET READING"),
    "ADDENDUM": ("ADDENDUM", "ADDENDA", "REPORT ADDENDUM"),
    "FINAL REPORT": ("FINAL REPORT",),
    "PRELIMINARY REPORT": ("PRELIMINARY REPORT",),
}
PREAMBLE = "PREAMBLE"

# What an image's short text is made of; once one of them has begun, a line in capitals
# ("LUNGS:") is a part of it and no section of its own.
_BODY = ("FINDINGS", "IMPRESSION", "FINDINGS AND IMPRESSION")
# Lines that stand over a report without a colon.
_TITLES = ("FINAL REPORT", "PRELIMINARY REPORT", "WET READ", "WET READING", "ADDENDUM")

_CANONICAL = {spelling: name for name, many in SPELLINGS.items() for spelling in many}


def _either(spellings):
    longest_first = sorted(spellings, key=len, reverse=True)
    return "|".join(re.escape(text).replace(r"\ ", "[ \t]+") for text in longest_first)


_KNOWN = _either(_CANONICAL)
_ASIDE = r"(?:[ \t]*\#?[0-9]+|[ \t]*[(\[][^()\[\]\n]{0,40}[)\]])?"  # "ADDENDUM #1", "(PA)"
_START = r"(?m:^)[ \t]*"
_HEAD = re.compile(
    # The name in any case at the start of a line; "i" goes with "a" so that letters that
    # are capitals of others in Unicode alone are not taken for them.
    rf"{_START}(?P<line>(?ai:{_KNOWN})){_ASIDE}[ \t]*[:：]"
    # In capitals anywhere: reports whose line ends were lost.
    rf"|(?<![^\W_])(?P<inline>{_KNOWN}){_ASIDE}[ \t]*[:：]"
    # In capitals, alone on its line or over the report.
    rf"|{_START}(?P<alone>{_KNOWN}){_ASIDE}[ \t]*(?m:$)"
    rf"|{_START}(?P<title>{_either(_TITLES)})(?![^\W_])"
    # Any other line that begins in capitals and has a colon, which is no time of day.
    rf"|{_START}(?P<other>[A-Z](?:(?!\b(?:{_KNOWN})\b)[A-Z0-9 ,/()&'._#-]){{2,60}})[:：](?![0-9])"
)
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_BLANK = re.compile(r"[^\S\n]")


def sections(text):
    r"""Divide a report into its sections.

    Parameters
    ----------
    text : str
        A whole report. Any line ends; any case of the sections' names.

    Returns
    -------
    dict of str to str
        Name to text without the blanks around it, in the order of the report. A name
        is the key of `SPELLINGS` that has the spelling found, and the capitals
        themselves where it is another one. What comes before the first name is
        ``"PREAMBLE"``, where there is anything. A section that occurs again, say in
        an addendum, continues the first on a new line; one without text is ``""``.

    Notes
    -----
    A name begins a line and ends with a colon; in capitals it may also stand alone
    on its line, or, with a colon, inside a line. Capitals with a colon that are no
    known name ("PA AND LATERAL CHEST:") begin a section before the findings, but not
    within them ("LUNGS:"). Except for the names, every word of the report is in the
    result.

    Examples
    --------
    >>> sections("FINAL REPORT\n FINDINGS: Clear lungs.\n\n Conclusion:\n Normal.")
    {'FINAL REPORT': '', 'FINDINGS': 'Clear lungs.', 'IMPRESSION': 'Normal.'}
    """
    text = _LINE_END.sub("\n", text.removeprefix("\ufeff"))
    text = _BLANK.sub(" ", text)
    found, name, start = {}, PREAMBLE, 0
    in_body = False
    for head in _HEAD.finditer(text):
        kind = head.lastgroup
        if kind == "other" and in_body:
            continue
        _append(found, name, text[start : head.start()])
        name, start = _name(head[kind], kind), head.end()
        in_body = name in _BODY
    _append(found, name, text[start:])
    return found


def shorten(text, *, words=100):
    r"""Return the part of a report that says what is on the image.

    The findings and the impression, one after the other; where a report has
    neither, the comparison; where it has none of these, the whole report's first
    words.

    Parameters
    ----------
    text : str
    words : int
        How many words of a report without such sections are kept.

    Returns
    -------
    str
        On one line, with one blank between words.

    References
    ----------
    The preparation of reports in the study ``clip-watermarks``, Section 2.2.

    Examples
    --------
    >>> shorten("IMPRESSION: Edema.\n\nFINDINGS:\n Large  heart.")
    'Large heart. Edema.'
    """
    found = sections(text)
    for wanted in (("FINDINGS", "FINDINGS AND IMPRESSION", "IMPRESSION"), ("COMPARISON",)):
        short = " ".join(" ".join(found.get(name, "") for name in wanted).split())
        if short:
            return short
    return " ".join(text.removeprefix("\ufeff").split()[:words])


def _name(spelling, kind):
    plain = " ".join(spelling.upper().split())
    return plain.rstrip(" ,-") if kind == "other" else _CANONICAL[plain]


def _append(found, name, text):
    text = text.strip()
    if not text and (name == PREAMBLE or name in found):
        return
    before = found.get(name, "")
    found[name] = f"{before}\n{text}" if before else text
