import tarfile
from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlib.data.reports import SPELLINGS, sections, shorten

MIMIC_STYLE = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ year old man with cough.  // Pneumonia?

 TECHNIQUE:  Chest PA and lateral

 COMPARISON:  None.

 FINDINGS:

 LUNGS: No focal
 consolidation.
 HEART: Mildly enlarged at 10:45.

 IMPRESSION:

 1.  Cardiomegaly.
 2.  No pneumonia.
"""

# Text without capitals, colons and line ends: nothing in it can be taken for a name.
PROSE = st.text(
    st.characters(
        exclude_categories=("Lu", "Lt", "Cs", "Cc", "Zl", "Zp"), exclude_characters=":：\ufeff\x85"
    ),
    max_size=60,
).map(lambda text: " ".join(text.split()))
NAMES = st.sampled_from(sorted(SPELLINGS))


def test_mimic_style_report_is_divided_and_shortened():
    found = sections(MIMIC_STYLE)
    assert list(found) == [
        "FINAL REPORT",
        "EXAMINATION",
        "INDICATION",
        "TECHNIQUE",
        "COMPARISON",
        "FINDINGS",
        "IMPRESSION",
    ]
    assert found["COMPARISON"] == "None."
    assert found["INDICATION"] == "___ year old man with cough.  // Pneumonia?"
    assert shorten(MIMIC_STYLE) == (
        "LUNGS: No focal consolidation. HEART: Mildly enlarged at 10:45. "
        "1. Cardiomegaly. 2. No pneumonia."
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Impression: fine", {"IMPRESSION": "fine"}),
        ("iMpReSsIoN : fine", {"IMPRESSION": "fine"}),
        ("CONCLUSION\nfine", {"IMPRESSION": "fine"}),
        ("Clinical  history: cough", {"HISTORY": "cough"}),
        ("REASON FOR EXAM: cough", {"INDICATION": "cough"}),
        ("FINDINGS AND IMPRESSION: fine", {"FINDINGS AND IMPRESSION": "fine"}),
        ("Findings/Impression:fine", {"FINDINGS AND IMPRESSION": "fine"}),
        ("Comparisons (prior film): none", {"COMPARISON": "none"}),
        ("ADDENDUM #2: fine", {"ADDENDUM": "fine"}),
        ("WET READ: ___ 11:03 PM\n no change", {"WET READ": "___ 11:03 PM\n no change"}),
        ("FINAL REPORT PORTABLE CHEST", {"FINAL REPORT": "PORTABLE CHEST"}),
        ("\ufeffFINDINGS：fine\r\n\r\nIMPRESSION：", {"FINDINGS": "fine", "IMPRESSION": ""}),
        (
            "CHEST, TWO VIEWS: clear\nFINDINGS: clear\nBONES: fine",
            {"CHEST, TWO VIEWS": "clear", "FINDINGS": "clear\nBONES: fine"},
        ),
        (
            "INDICATION: Cough. FINDINGS: Clear. IMPRESSION: Fine.",
            {"INDICATION": "Cough.", "FINDINGS": "Clear.", "IMPRESSION": "Fine."},
        ),
        ("PORTABLE CHEST FINDINGS: clear", {"PREAMBLE": "PORTABLE CHEST", "FINDINGS": "clear"}),
        ("IMPRESSION: a\nADDENDUM: b\nIMPRESSION: c", {"IMPRESSION": "a\nc", "ADDENDUM": "b"}),
        ("The impression: fine", {"PREAMBLE": "The impression: fine"}),
        ("seen at\n 10:45 today", {"PREAMBLE": "seen at\n 10:45 today"}),
        ("IMPREſſION: fine", {"PREAMBLE": "IMPREſſION: fine"}),
        ("", {}),
        (" \r\n\t\u2028", {}),
    ],
)
def test_spellings(text, found):
    assert sections(text) == found
    assert list(sections(text)) == list(found)


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_leads_to_its_name(name):
    for spelling in SPELLINGS[name]:
        for written in (spelling, spelling.title(), spelling.lower(), spelling.replace(" ", "  ")):
            assert sections(f"  {written}: text\r\nmore") == {name: "text\nmore"}


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("IMPRESSION: b\nCOMPARISON: c\nFINDINGS: a\n\n a", "a a b"),
        ("COMPARISON: c\nIMPRESSION: b", "b"),
        ("FINDINGS: a\nIMPRESSION:", "a"),
        ("FINDINGS AND IMPRESSION: a\nCOMPARISON: c", "a"),
        ("FINDINGS:\nIMPRESSION: \nComparison: c\r\n d", "c d"),
        ("FINDINGS:\nHISTORY: cough", "FINDINGS: HISTORY: cough"),
        (" ".join(map(str, range(300))), " ".join(map(str, range(100)))),
        ("  \n ", ""),
    ],
)
def test_shorten_falls_back_from_section_to_section(text, short):
    assert shorten(text) == short


def test_number_of_words_is_a_parameter():
    assert shorten("a b\nc d", words=3) == "a b c"


@given(st.dictionaries(NAMES, PROSE), PROSE, st.sampled_from(["\n", "\r\n", "\r"]), st.randoms())
def test_composed_reports_come_apart_again(parts, preamble, end, random):
    lines = [preamble]
    for name, text in parts.items():
        spelling = random.choice(SPELLINGS[name])
        case = random.choice([str.upper, str.lower, str.title])
        lines.append(f"{' ' * random.randrange(3)}{case(spelling)}:{random.choice(['', ' ', end])}")
        lines[-1] += text
    found = sections(end.join(lines))
    assert found.pop("PREAMBLE", "") == preamble.strip()
    assert found == {name: text.strip() for name, text in parts.items()}
    assert list(found) == list(parts)


@given(st.lists(PROSE, max_size=8), st.sampled_from(["\n", "\r\n", "\u2028", "\x0b"]))
def test_text_without_names_is_one_preamble(lines, end):
    found = sections(end.join(lines))
    assert " ".join(found.get("PREAMBLE", "").split()) == " ".join(" ".join(lines).split())
    assert set(found) <= {"PREAMBLE"}


MIXED = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from([":", "\n", " ", "\r", "(", "#1", "LUNGS:", "FINAL REPORT", "PREAMBLE:"]),
        st.sampled_from([spelling for many in SPELLINGS.values() for spelling in many]),
    )
).map("".join)


@settings(max_examples=300)
@given(MIXED)
def test_no_text_is_lost_and_nothing_crashes(text):
    found = sections(text)
    kept = Counter("".join("".join(found.values()).split()))
    lost = Counter("".join(text.removeprefix("\ufeff").split())) - kept
    assert not kept - Counter("".join(text.split()))
    # What is lost are names: capitals and small letters of English, and what goes with them.
    assert all(sign in ":：" or sign.isascii() or "(" in lost or "[" in lost for sign in lost)
    # A line without a colon whose letters are not all capitals is no name.
    for line in text.splitlines():
        if ":" not in line and "：" not in line and line.upper() != line and line.isascii():
            words = [word for word in line.split() if not word.isupper()]
            assert all(any(word in value for value in found.values()) for word in words)
    assert all(value == value.strip() for value in found.values())
    short = shorten(text)
    assert short == " ".join(short.split())


@settings(max_examples=100)
@given(st.text())
def test_any_text_has_sections(text):
    assert all(isinstance(value, str) for value in sections(text).values())


def test_long_blank_and_odd_lines_take_no_time():
    for text in (" " * 100_000, "A " * 50_000, "\n " * 50_000, "FINDINGS (" * 10_000):
        sections(text)


def test_real_reports(open_data):
    """Open-i gives the sections apart; put together in three ways, they come apart again."""
    archive = open_data / "openi_reports" / "NLMCXR_reports.tgz"
    if not archive.is_file():
        pytest.skip("the archive of reports is not here")
    differing, total = 0, 0
    with tarfile.open(archive) as tar:
        for member in list(tar)[:1500]:
            if not member.isfile():
                continue
            tree = ElementTree.parse(tar.extractfile(member))
            parts = [(p.get("Label"), (p.text or "").strip()) for p in tree.iter("AbstractText")]
            for text in (
                "\n\n".join(f"{name}: {text}" for name, text in parts),
                "FINAL REPORT\r\n" + "\r\n".join(f" {n.title()}:\r\n {t}" for n, t in parts),
                " ".join(f"{name}: {text}" for name, text in parts),
            ):
                found = sections(text)
                found.pop("FINAL REPORT", None)
                total += 1
                differing += {n: t.split() for n, t in found.items()} != {
                    n: t.split() for n, t in parts
                }
    # A dozen of the 3,955 repeat a name within a section, as in "INDICATION: INDICATION: Cough".
    assert total > 4000
    assert differing < 0.01 * total
