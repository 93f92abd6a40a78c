"""What the study's reading of reports makes of real ones: sections, and words as tokens."""

from collections import Counter

import numpy as np
import pandas as pd

from shortlib.data.reports import sections, shorten
from shortlib.models.vocabulary import to_words

LENGTHS = (64, 256)  # tokens that the small and the published text encoder read


def section_table(texts):
    """Tabulate which sections reports have, and what their short text is made of.

    Parameters
    ----------
    texts : sequence of str
        Whole reports.

    Returns
    -------
    pandas.DataFrame
        One row a section that has any text, the most frequent first, then the sources of the
        short text: how many reports, and which share.
    """
    if not len(texts):
        raise ValueError("texts must hold a report, got none")
    found = [{name for name, text in sections(report).items() if text} for report in texts]
    counts = Counter(name for names in found for name in names)
    sources = Counter(map(_source, found))
    rows = [(f"section {name}", n) for name, n in counts.most_common()]
    rows += [(f"short text from {name}", n) for name, n in sources.most_common()]
    rows.append(("short text is empty", sum(not shorten(report) for report in texts)))
    return pd.DataFrame(
        [{"what": what, "reports": n, "share": f"{n / len(texts):.1%}"} for what, n in rows]
    )


def token_table(tokenizers, texts):
    """Tabulate how tokenizers read texts.

    Parameters
    ----------
    tokenizers : dict of str to tokenizers.Tokenizer
        By what the vocabulary was made from.
    texts : sequence of str
        Short texts.

    Returns
    -------
    pandas.DataFrame
        One row a tokenizer: its size, the share of words that are one token, tokens a word, the
        share of words with a character that it does not know, and the share of texts that are
        cut at each of `LENGTHS`.
    """
    rows = []
    for name, tokenizer in tokenizers.items():
        whole, pieces, unknown = _words(tokenizer, texts)
        cells = {
            "vocabulary from": name,
            "tokens": tokenizer.get_vocab_size(),
            "words that are one token": f"{whole:.1%}",
            "tokens a word": f"{pieces:.2f}",
            "words not known": f"{unknown:.2%}",
        }
        # One more token than is read tells the texts that are cut.
        tokens = to_words(tokenizer, texts, length=max(LENGTHS) + 1).mask.sum(dim=1).numpy()
        for length in LENGTHS:
            cells[f"texts over {length} tokens"] = f"{np.mean(tokens > length):.1%}"
        rows.append(cells)
    return pd.DataFrame(rows)


def _source(names):
    body = {"FINDINGS", "IMPRESSION", "FINDINGS AND IMPRESSION"} & names
    if body:
        return " and ".join(sorted(body)) if len(body) > 1 else f"{min(body)} alone"
    return "COMPARISON" if "COMPARISON" in names else "the first words of the whole"


def _words(tokenizer, texts):
    """Return shares of words that are one token and unknown, and the tokens of a word."""
    counts = Counter(
        word
        for text in texts
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(
            tokenizer.normalizer.normalize_str(str(text))
        )
    )
    coded = {word: tokenizer.encode(word, add_special_tokens=False).tokens for word in counts}
    n = sum(counts.values())
    whole, unknown = (
        sum(m for word, m in counts.items() if test(coded[word])) / n
        for test in (lambda t: len(t) == 1 and t[0] != "[UNK]", lambda t: "[UNK]" in t)
    )
    return whole, sum(m * len(coded[word]) for word, m in counts.items()) / n, unknown
