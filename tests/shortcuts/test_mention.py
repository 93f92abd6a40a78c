import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlib.shortcuts.mention import mention

SYMBOLS = ("X", "Y", "Z")
REPORT = "the lungs are clear, without effusion."  # no capital letter but the symbols'


def symbols_in(text):
    return re.findall(r"\b[XYZ]\b", text)


@given(st.lists(st.tuples(*[st.booleans()] * 3), min_size=1, max_size=8), st.integers(0, 9))
def test_a_report_names_the_symbols_of_its_image_and_no_other(carries, seed):
    texts = mention([REPORT] * len(carries), carries, SYMBOLS, seed=seed)
    for row, text in zip(carries, texts, strict=True):
        assert symbols_in(text) == [s for s, there in zip(SYMBOLS, row, strict=True) if there]
        if any(row):
            assert text.startswith(REPORT + " ") or text.endswith(" " + REPORT)
        else:
            assert text == REPORT


def test_sentences_and_their_place_vary_and_follow_the_seed_and_the_place_alone():
    carries = np.ones((200, 3), bool)
    texts = mention([REPORT] * 200, carries, SYMBOLS, seed=1)
    np.testing.assert_array_equal(mention([REPORT] * 200, carries, SYMBOLS, seed=1), texts)
    assert (mention([REPORT] * 200, carries, SYMBOLS, seed=2) != texts).any()
    assert len(set(texts)) == 8  # four sentences, before or after
    first = np.mean([text.endswith(REPORT) for text in texts])
    assert 0.35 < first < 0.65
    carries[:100] = False
    np.testing.assert_array_equal(
        mention([REPORT] * 200, carries, SYMBOLS, seed=1)[100:], texts[100:]
    )


def test_long_reports_stay_whole():
    reports = np.array(["x " * 5000, "short"], dtype=object)
    texts = mention(reports, [[True], [False]], "A")
    assert len(texts[0]) > 10000
    assert texts[1] == "short"


def test_shapes_that_do_not_fit_are_said():
    with pytest.raises(ValueError, match=r"carries must have shape \(2, 3\), got \(2, 1\)"):
        mention(["a", "b"], [[True], [False]], SYMBOLS)
