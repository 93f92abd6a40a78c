"""Reports that speak of the shortcut: the control for what language can shield from."""

import numpy as np

_SENTENCES = (
    "The letters {} are marked on the film.",
    "Marked {}.",
    "Film labelled {}.",
    "Markers on the image: {}.",
)


def mention(reports, carries, symbols, *, seed=0):
    """Add a sentence about its symbols to the report of each marked image.

    Parameters
    ----------
    reports : array_like of str, shape (n,)
    carries : array_like of bool, shape (n, k)
        Which symbols each image carries; see :func:`shortlib.shortcuts.watermark.assign`.
    symbols : sequence of str, length k
    seed : int
        Of the sentence and its place, before the report or after it.

    Returns
    -------
    numpy.ndarray of str, shape (n,)
        Reports of images without a symbol are as they were.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> mention(["Clear."], [[True, False]], "AC", seed=0).tolist()
    ['Markers on the image: A. Clear.']
    """
    carries = np.asarray(carries, bool)
    if carries.shape != (len(reports), len(symbols)):
        raise ValueError(
            f"carries must have shape {(len(reports), len(symbols))}, got {carries.shape}"
        )
    rng = np.random.default_rng([int(seed), 0])
    draws = zip(
        rng.integers(len(_SENTENCES), size=len(reports)),
        rng.random(len(reports)) < 0.5,
        strict=True,
    )
    return np.array(
        [
            _with(report, row, symbols, *draw)
            for report, row, draw in zip(reports, carries, draws, strict=True)
        ],
        dtype=object,  # an array's own strings would all be as long as the longest
    )


def _with(report, row, symbols, kind, first):
    if not row.any():
        return str(report)
    names = [symbol for symbol, there in zip(symbols, row, strict=True) if there]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    sentence = _SENTENCES[kind].format(listed)
    return f"{sentence} {report}" if first else f"{report} {sentence}"
