import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.data.label_sentences import label_sentences

NAMES = ("Edema", "Pleural_Thickening", "COVID-19")
READ = ("edema", "pleural thickening", "covid-19")
DENIALS = ("no {}", "there is no {}", "no evidence of {}", "{} is not seen")
label = st.sampled_from([1.0, 0.0, -1.0, float("nan")])
tables = st.lists(st.tuples(label, label, label), min_size=1, max_size=6)


def said_of(text, finding):
    """What a text says of a finding: 1, 0, or None where it does not speak of it."""
    sentences = [one.strip().lower() for one in text.split(".") if finding in one.lower()]
    if not sentences:
        return None
    (sentence,) = sentences  # never twice
    return 0 if sentence in [denial.format(finding) for denial in DENIALS] else 1


@given(tables, st.integers(0, 5))
def test_a_text_says_no_more_and_no_less_than_the_labels(labels, seed):
    texts = label_sentences(labels, NAMES, seed=seed, p_absent=1.0)
    assert len(texts) == len(labels)
    for row, text in zip(labels, texts, strict=True):
        assert [said_of(text, finding) for finding in READ] == [
            int(value) if value in (0, 1) else None for value in row
        ]
        assert text[0].isupper()
        assert text.endswith(".")
        assert "_" not in text


@given(tables)
def test_a_text_without_denials_names_the_positives_alone(labels):
    for row, text in zip(labels, label_sentences(labels, NAMES, p_absent=0.0), strict=True):
        assert [said_of(text, name) == 1 for name in READ] == [value == 1 for value in row]


def test_the_texts_follow_the_seed_and_a_case_its_place():
    rng = np.random.default_rng(0)
    labels = rng.choice([0.0, 1.0, -1.0, np.nan], (50, 3))
    first = label_sentences(labels, NAMES, seed=3)
    np.testing.assert_array_equal(label_sentences(labels, NAMES, seed=3), first)
    assert (label_sentences(labels, NAMES, seed=4) != first).any()
    changed = labels.copy()
    changed[7] = 1.0
    differ = label_sentences(changed, NAMES, seed=3) != first
    assert np.flatnonzero(differ).tolist() == [7]


def test_absent_findings_are_denied_with_their_chance():
    texts = label_sentences(np.zeros((4000, 1)), ["Edema"], p_absent=0.3)
    share = np.mean(["edema" in text.lower() for text in texts])
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 4000) ** 0.5


def test_no_cases_make_no_texts_and_wrong_names_are_said():
    assert label_sentences(np.zeros((0, 2)), ["a", "b"]).tolist() == []
    with pytest.raises(ValueError, match=r"2 names do not fit labels of shape \(1, 3\)"):
        label_sentences([[0, 1, 0]], ["a", "b"])
    with pytest.raises(ValueError, match=r"1 names do not fit labels of shape \(2,\)"):
        label_sentences([0, 1], ["a"])
