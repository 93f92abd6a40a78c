import pytest

from shortlib.models.vocabulary import train_wordpiece
from shortlib.report.report_coverage import section_table, token_table

TEXTS = [
    "FINDINGS: Clear lungs.\nIMPRESSION: Normal.",
    "IMPRESSION: Edema.",
    "COMPARISON: None.\nINDICATION: Cough.",
    "Portable film.",
    "FINDINGS:\nIMPRESSION: Normal.",
]


def test_sections_with_text_and_the_sources_of_the_short_text_are_counted():
    table = section_table(TEXTS).set_index("what")
    assert dict(table["reports"]) == {
        "section IMPRESSION": 3,
        "section FINDINGS": 1,
        "section COMPARISON": 1,
        "section INDICATION": 1,
        "section PREAMBLE": 1,
        "short text from IMPRESSION alone": 2,
        "short text from FINDINGS and IMPRESSION": 1,
        "short text from COMPARISON": 1,
        "short text from the first words of the whole": 1,
        "short text is empty": 0,
    }
    assert table.loc["section IMPRESSION", "share"] == "60.0%"
    with pytest.raises(ValueError, match="texts must hold a report, got none"):
        section_table([])


def test_words_in_and_out_of_a_vocabulary():
    known = train_wordpiece(["lungs clear lungs clear"])
    (row,) = token_table({"two words": known}, ["clear lungs", "clear x"]).to_dict("records")
    assert row["words that are one token"] == "75.0%"
    assert row["words not known"] == "25.00%"  # no word had an x
    assert row["tokens a word"] == "1.00"
    # A word of known letters is spelled: r, ##e, ##a, ##l.
    (row,) = token_table({"two words": known}, ["real"]).to_dict("records")
    assert (row["words that are one token"], row["tokens a word"]) == ("0.0%", "4.00")
    long = " ".join(["clear"] * 63)  # with the two tokens at its ends 65
    (row,) = token_table({"two words": known}, [long, "clear"]).to_dict("records")
    assert (row["texts over 64 tokens"], row["texts over 256 tokens"]) == ("50.0%", "0.0%")
