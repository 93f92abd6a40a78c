"""Reports of the built-in chest radiographs, in the manner of MIMIC-CXR's."""

import re
from pathlib import Path

import numpy as np

from shortlib.data.chexpert_labels import FINDINGS, FIVE
from shortlib.data.phantoms.grammar import draw, load_grammar
from shortlib.data.phantoms.report_layout import lay_out

GRAMMAR = Path(__file__).with_name("chest_reports.yml")

# Below these severities a finding may be hedged, or missed.
SUBTLE, FAINT = 0.5, 0.25
# How likely a report says that a finding is absent, and how likely it names one that is
# not there as possible.
ABSENT = {
    "Atelectasis": 0.3,
    "Cardiomegaly": 0.65,
    "Consolidation": 0.7,
    "Edema": 0.55,
    "Pleural Effusion": 0.75,
    "Pneumothorax": 0.6,
    "Enlarged Cardiomediastinum": 0.3,
    "Pneumonia": 0.12,
}
FALSE_DOUBT = 0.03
_BARE = 0.1  # of reports without findings: nothing is named at all
DEVICES = ("central_line", "pacemaker", "ecg_leads")


def stated_labels(case, rng, *, subtle=SUBTLE, faint=FAINT):
    """Draw what a report says of each finding, as the CheXpert labeller would write it down.

    Parameters
    ----------
    case : mapping
        A row of the chest phantom's covariates: ``<finding>_severity``.
    rng : numpy.random.Generator
    subtle : float
        A finding of severity s < `subtle` is hedged with probability
        0.6 (1 - s / subtle), so -1 instead of 1.
    faint : float
        One of severity s < `faint` is not mentioned with probability
        0.2 (1 - s / faint), so blank.

    Returns
    -------
    dict of str to float
        For each of the labeller's fourteen names 1 (present), 0 (absent), -1
        (uncertain) or NaN (not mentioned). A finding that is absent is said to be so
        with the probability of `ABSENT`, is named as possible in 3 of 100 reports, and
        else is not mentioned. Of reports without any finding, one in ten names none.
        One that resolved since the prior study is always mentioned.
    """
    stated = dict.fromkeys(FINDINGS, np.nan)
    chance = {name: rng.random(2) for name in FINDINGS}
    bare = rng.random() < _BARE and not any(case[_column(name, "severity")] for name in FIVE)
    for name in FIVE:
        severity, (first, second) = case[_column(name, "severity")], chance[name]
        if severity > 0:
            missed = first < 0.2 * (1 - severity / faint)
            hedged = second < 0.6 * (1 - severity / subtle)
            stated[name] = np.nan if missed else -1.0 if hedged else 1.0
        elif case.get(_column(name, "change")) == "resolved":
            stated[name] = 0.0
        elif not bare:
            said = 0.0 if first < ABSENT[name] else np.nan
            stated[name] = -1.0 if second < FALSE_DOUBT else said
    if not bare:
        for name in ("Pneumothorax", "Enlarged Cardiomediastinum", "Pneumonia"):
            if chance[name][0] < ABSENT[name]:
                stated[name] = 0.0
    if stated["Cardiomegaly"] in (1, -1):
        stated["Enlarged Cardiomediastinum"] = np.nan
    if stated["Consolidation"] in (1, -1):
        stated["Pneumonia"] = -1.0 if chance["Pneumonia"][1] < 0.35 else np.nan
    if any(case.get(device) for device in DEVICES):
        stated["Support Devices"] = 1.0
    if not any(stated[name] in (1, -1) for name in FINDINGS if name != "Support Devices"):
        stated["No Finding"] = 1.0
    return stated


def write_report(case, rng, stated=None):
    """Write a report on a chest radiograph.

    Parameters
    ----------
    case : mapping
        A row of the chest phantom's covariates: severity, side and change of the five
        findings, ``view``, ``sex``, ``prior`` and the devices.
    rng : numpy.random.Generator
        Decides the words, the order and which sections there are.
    stated : dict of str to float, optional
        What the report says; by default drawn by :func:`stated_labels`.

    Returns
    -------
    str
        Its findings agree with `stated`, in all sections together. Nothing in it
        tells of marks on the film.
    """
    stated = stated_labels(case, rng) if stated is None else stated
    words = _Words(case, rng)
    findings = _findings(words, stated)
    impression = _impression(words, stated)
    return lay_out(case, findings, impression, rng, words.text)


class _Words:
    """Draws sentences about one case."""

    def __init__(self, case, rng):
        self.case, self.rng, self.grammar = case, rng, load_grammar(GRAMMAR)
        # What is hedged is on one side in all sections, also where nothing is there.
        self.doubtful = "left" if self.chance(0.5) else "right"

    def text(self, rule, **slots):
        return draw(self.grammar, rule, self.rng, **slots)

    def sentence(self, rule, **slots):
        return to_sentence(self.text(rule, **slots))

    def chance(self, probability):
        return self.rng.random() < probability

    def about(self, name, kind, *, rule=None):
        """Say of a finding that it is ``"present"``, or ``"note"`` it in the impression."""
        column = name.lower().replace(" ", "_")
        side = self.case[f"{column}_side"]
        rule = f"{rule or column}_{kind}"
        if f"{rule}_one" in self.grammar:
            rule += "_both" if side == "bilateral" else "_one"
        return self.sentence(
            rule,
            side=side,
            degree=degree(self.case[f"{column}_severity"]),
            change=self._change(self.case.get(f"{column}_change", "")),
        )

    def perhaps(self, name):
        column = name.lower().replace(" ", "_")
        side = self.case[f"{column}_side"]
        if side not in ("left", "right"):
            side = self.doubtful
        return self.sentence(f"{column}_hedged", side=side)

    def _change(self, change):
        if not change or not self.case.get("prior") or self.chance(0.3):
            return ""
        return self.text(f"change_{change}")


def degree(severity):
    """Return the word for a severity in (0, 1]: a third of those present have each."""
    return "mild" if severity < 1 / 3 else "moderate" if severity < 2 / 3 else "severe"


def to_sentence(text):
    """Return a text with a capital at its start, a full stop, and "an" where it is due."""
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _findings(words, stated):
    """Return the sentences of the findings, each with the label it is about."""
    said = [*_devices(words), *_negations(words, stated)]
    present = [name for name in FIVE if stated[name] == 1]
    if {"Pleural Effusion", "Atelectasis"} <= set(present) and _together(words):
        present = [name for name in present if name not in ("Pleural Effusion", "Atelectasis")]
        rule = "pleural_effusion_with_atelectasis"
        side = "both" if words.case["pleural_effusion_side"] == "bilateral" else "one"
        said.append(words.about("Pleural Effusion", side, rule=rule))
    for name in present:
        said.append(words.about(name, "present"))
        if name == "Consolidation" and stated["Pneumonia"] == -1:
            said[-1] += " " + words.sentence("pneumonia_perhaps")
    for name in FIVE:
        if stated[name] == -1:
            said.append(words.perhaps(name))
            if name == "Consolidation" and stated["Pneumonia"] == -1:
                said[-1] += " " + words.sentence("pneumonia_perhaps")
    if stated["Enlarged Cardiomediastinum"] == 0:
        said.append(words.sentence("mediastinum_normal"))
    lungs = ("Atelectasis", "Consolidation", "Edema")
    if not any(stated[name] in (1, -1) for name in lungs) and words.chance(0.4):
        said.insert(0, words.sentence("clear"))
    for rule, share in (("bones", 0.35), ("remark", 0.25)):
        if words.chance(share):
            said.append(words.sentence(rule))
    if words.chance(0.5):
        words.rng.shuffle(said)
    return said or [words.sentence("clear")]


def _together(words):
    same = words.case["pleural_effusion_side"] == words.case["atelectasis_side"]
    return same and words.chance(0.4)


def _devices(words):
    return [words.sentence(name) for name in DEVICES if words.case.get(name)]


def _negations(words, stated):
    absent = [name for name in (*FIVE, "Pneumothorax") if stated[name] == 0]
    resolved = [
        name
        for name in absent
        if name in FIVE and words.case.get(_column(name, "change")) == "resolved"
    ]
    said = [words.sentence(f"{_column(name)}_resolved") for name in resolved]
    rest = [name for name in absent if name not in resolved]
    if "Cardiomegaly" in rest:
        rest.remove("Cardiomegaly")
        said.append(words.sentence("cardiomegaly_absent"))
    words.rng.shuffle(rest)
    listed = rest if words.chance(0.6) else rest[:2]
    if len(listed) > 1:
        terms = [words.text(f"{_column(name)}_term") for name in listed]
        joined = ", ".join(terms[:-1]) + (" or " if len(terms) == 2 else ", or ") + terms[-1]
        said.append(words.sentence("absent_list", terms=joined))
        rest = rest[len(listed) :]
    said += [words.sentence(f"{_column(name)}_absent") for name in rest]
    if stated["Pneumonia"] == 0:
        said.append(words.sentence("pneumonia_absent"))
    return said


def _impression(words, stated):
    noted = [name for name in FIVE if stated[name] == 1]
    noted.sort(key=lambda name: -words.case[_column(name, "severity")])
    said = [words.about(name, "note") for name in noted]
    said += [words.perhaps(name) for name in FIVE if stated[name] == -1]
    if stated["Pneumonia"] == -1:
        said.append(words.sentence("pneumonia_perhaps"))
    return said or [words.sentence("normal_impression")]


def _column(name, field=None):
    column = name.lower().replace(" ", "_")
    return f"{column}_{field}" if field else column
