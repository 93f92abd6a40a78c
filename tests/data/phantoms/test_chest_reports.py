import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlib.data.chexpert_labels import FINDINGS, FIVE
from shortlib.data.phantoms.chest_reports import (
    GRAMMAR,
    degree,
    stated_labels,
    to_sentence,
    write_report,
)
from shortlib.data.phantoms.grammar import draw, load_grammar
from shortlib.data.reports import sections, shorten

COLUMNS = {name: name.lower().replace(" ", "_") for name in FIVE}


def random_case(rng, share=0.35):
    prior = bool(rng.random() < 0.4)
    case = {"view": rng.choice(["PA", "AP"]), "sex": rng.choice(["M", "F"]), "prior": prior}
    for column in COLUMNS.values():
        present = rng.random() < share
        changes = ["new", "worse", "unchanged", "better"] if present else ["resolved", "", ""]
        case[f"{column}_severity"] = float(rng.random()) if present else 0.0
        case[f"{column}_side"] = rng.choice(["left", "right", "bilateral"]) if present else ""
        case[f"{column}_change"] = rng.choice(changes) if prior else ""
    for device in ("ecg_leads", "central_line", "pacemaker"):
        case[device] = bool(rng.random() < 0.2)
    return {key: value.item() if hasattr(value, "item") else value for key, value in case.items()}


def reports(n, share=0.35):
    for i in range(n):
        rng = np.random.default_rng([7, i])
        case = random_case(rng, share)
        stated = stated_labels(case, rng)
        yield case, stated, write_report(case, rng, stated)


# --- a slow rule that reads reports and knows nothing of the grammar ----------------------------

WORDS = {
    "Atelectasis": r"atelecta",
    "Cardiomegaly": r"\bheart|cardiomegaly|cardiac (silhouette|enlargement|shadow)",
    "Consolidation": r"consolidation",
    "Edema": r"edema|congestion",
    "Pleural Effusion": r"effusion|pleural fluid",
    "Pneumothorax": r"pneumothorax",
    "Pneumonia": r"pneumonia",
    "Support Devices": r"catheter|central line|pacemaker|leads|central venous",
    "Enlarged Cardiomediastinum": r"mediastin",
}
DOUBT = (
    r"\bmay\b|\bmight\b|\bcould\b|possible|questionable|borderline|upper limit|top normal|excluded|"
    r"exclude\b|concerning|suspicious|worrisome|likely|considered|suspected"
)
DENIAL = (
    r"\bno\b|without|free of|normal|unremarkable|not enlarged|not widened|resolved|cleared|"
    r"no longer|nothing to"
)
ASKED = r"evaluate for|assess for|rule out|\?"


def read_labels(text):
    """Return what a report says: by finding the set of 1 present, 0 absent, -1 uncertain."""
    said = {name: set() for name in WORDS}
    for part in sections(text).values():
        part = re.sub(r"\n\s*\d\.\s", ". ", "\n" + part)
        for sentence in re.split(r"\.(?:\s|$)", " ".join(part.split())):
            low = sentence.lower()
            if re.search(ASKED, low):
                continue
            for name, words in WORDS.items():
                if re.search(words, low):
                    doubt, denial = re.search(DOUBT, low), re.search(DENIAL, low)
                    said[name].add(-1 if doubt else 0 if denial else 1)
    return said


def test_reports_say_what_is_stated():
    for case, stated, text in reports(1500):
        said = read_labels(text)
        for name in WORDS:
            due = set() if np.isnan(stated[name]) else {stated[name]}
            assert said[name] == due, f"{name} {stated[name]} in\n{text}\n{case}"


def test_the_short_text_says_it_too():
    """What is clipped to 100 words may lose something, never say something else."""
    lost = 0
    for _, stated, text in reports(600):
        short = shorten(text)
        said = read_labels(f"FINDINGS: {short}")
        for name in FIVE:
            due = set() if np.isnan(stated[name]) else {stated[name]}
            assert said[name] <= due
            if said[name] != due:
                lost += 1
                assert len(short.split()) == 100
    assert lost < 0.03 * 600 * len(FIVE)


def test_sides_and_degrees_are_those_of_the_case():
    for case, stated, text in reports(600):
        for name in ("Atelectasis", "Consolidation", "Pleural Effusion"):
            if stated[name] != 1:
                continue
            side = case[f"{COLUMNS[name]}_side"]
            other = {"left": "right|bilateral|bibasilar|both", "right": "left|bilateral|both"}
            for sentence in re.split(r"\.\s|:", " ".join(text.split())):
                if re.search(WORDS[name], sentence) and side in other:
                    assert not re.search(other[side], sentence), (side, sentence)
                    if name == "Pleural Effusion":
                        sizes = {"mild": "large|massive", "severe": "small|tiny|trace"}
                        word = degree(case["pleural_effusion_severity"])
                        assert not re.search(sizes.get(word, "xxx"), sentence), (word, sentence)


def test_reports_are_various():
    texts = [text for _, _, text in reports(1000)]
    assert len(set(texts)) == 1000
    case = random_case(np.random.default_rng(3))
    stated = stated_labels(case, np.random.default_rng(0))
    same = {shorten(write_report(case, np.random.default_rng(i), stated)) for i in range(200)}
    assert len(same) > 190
    vocabulary = Counter(" ".join(texts).lower().split())
    assert len(vocabulary) > 250


def test_sections_are_omitted_so_that_every_fallback_matters():
    ways = Counter()
    for _, _, text in reports(1000):
        found = sections(text)
        main = [name for name in ("FINDINGS", "IMPRESSION") if found.get(name)]
        if found.get("FINDINGS AND IMPRESSION"):
            main.append("joined")
        rest = "comparison" if found.get("COMPARISON") else "raw"
        ways["+".join(main) or rest] += 1
        ways["addendum"] += "ADDENDUM" in found
        ways["wet read"] += "WET READ" in found
        assert shorten(text)
    for way in ("FINDINGS+IMPRESSION", "FINDINGS", "IMPRESSION", "joined", "comparison", "raw"):
        assert ways[way] >= 20, ways
    assert ways["addendum"] >= 15
    assert ways["wet read"] >= 10
    assert ways["FINDINGS+IMPRESSION"] > 500


def test_the_watermark_is_never_mentioned():
    words = r"watermark|letter|symbol|marker|\bburned|annotation|stamp|logo"
    for _, _, text in reports(500):
        assert not re.search(words, text.lower())
    assert not re.search(words, GRAMMAR.read_text().lower().replace("symptom", ""))


def test_a_seed_decides():
    case = random_case(np.random.default_rng(0))
    first, again, other = (write_report(case, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_text_is_tidy():
    for _, _, text in reports(500):
        assert text.endswith("\n")
        assert max(map(len, text.splitlines())) <= 80
        assert not re.search(r"[<>{}|]| ,|\.\.|,,", text)
        body = shorten(text)
        assert not re.search(r"\ba [aeiou]", body)
        assert not re.search(r"\b(\w+) \1\b", body.replace("___ ___", "")), body


# --- the rule by which labels are stated ---------------------------------------------------------


def stated_often(n=4000, **changed):
    case = {f"{column}_severity": 0.0 for column in COLUMNS.values()} | changed
    return [stated_labels(case, np.random.default_rng([1, i])) for i in range(n)]


def share(values, value):
    values = np.array(values)
    return (np.isnan(values) if value is None else values == value).mean()


@pytest.mark.parametrize("severity", [0.05, 0.2, 0.4, 0.7])
def test_subtle_findings_are_hedged_or_missed_as_the_rule_says(severity):
    values = [stated["Edema"] for stated in stated_often(edema_severity=severity)]
    missed = max(0.2 * (1 - severity / 0.25), 0)
    hedged = max(0.6 * (1 - severity / 0.5), 0) * (1 - missed)
    # Four standard deviations of a share of 4000.
    assert share(values, None) == pytest.approx(missed, abs=0.032)
    assert share(values, -1) == pytest.approx(hedged, abs=0.032)
    assert share(values, 0) == 0


def test_absent_findings_are_denied_or_not_mentioned():
    stated = stated_often()
    for name, due in (("Pleural Effusion", 0.75), ("Atelectasis", 0.3)):
        values = [each[name] for each in stated]
        assert share(values, 1) == 0
        assert share(values, -1) == pytest.approx(0.9 * 0.03, abs=0.012)
        assert share(values, 0) == pytest.approx(0.9 * 0.97 * due, abs=0.032)
    bare = [all(np.isnan(each[name]) for name in FIVE) for each in stated]
    assert 0.1 <= np.mean(bare) < 0.15


def test_no_finding_is_stated_when_nothing_but_devices_is():
    for case, stated, _ in reports(500):
        others = [stated[name] in (1, -1) for name in FINDINGS if name != "Support Devices"]
        others = sum(others) - (stated["No Finding"] == 1)
        assert (stated["No Finding"] == 1) == (others == 0)
        devices = any(case[name] for name in ("ecg_leads", "central_line", "pacemaker"))
        assert (stated["Support Devices"] == 1) == devices


def test_what_resolved_is_always_said():
    stated = stated_often(200, edema_change="resolved")
    assert {each["Edema"] for each in stated} == {0.0}


# --- the grammar itself ---------------------------------------------------------------------------


def test_every_rule_of_the_grammar_can_be_drawn():
    grammar = load_grammar(GRAMMAR)
    slots = {"side": "left", "change": "", "terms": "a or b", "who": "___M"}
    for rule in grammar:
        for seed in range(40):
            for word in ("mild", "moderate", "severe"):
                text = draw(grammar, rule, np.random.default_rng(seed), degree=word, **slots)
                assert not re.search(r"[<>{}|]", text), (rule, text)


def test_draw_fills_slots_then_rules_then_choices():
    grammar = {"a": ["<b> ,  <{x}ly> (p|p|p)(|)."], "b": ["({x}|{x})"], "redly": ["far"]}
    assert draw(grammar, "a", np.random.default_rng(0), x="red") == "red, far p."
    with pytest.raises(KeyError):
        draw(grammar, "a", np.random.default_rng(0), x="blue")
    with pytest.raises(KeyError):
        draw(grammar, "a", np.random.default_rng(0))


@settings(max_examples=50)
@given(st.text(alphabet="abcdefgh ", min_size=1, max_size=30).map(str.strip).filter(bool))
def test_sentences_begin_with_a_capital_and_end_with_a_stop(text):
    sentence = to_sentence(text)
    assert sentence[0] == text[0].upper()
    assert sentence.endswith(".")
    assert to_sentence("a early a late") == "An early a late."
