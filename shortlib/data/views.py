"""Test views: the same cases seen plain, with the shortcut for the label, or against it."""

from dataclasses import replace

import numpy as np

from shortlib.data.streamed import Streamed

VIEWS = ("plain", "aligned", "adversarial")


def view_of(cohort, view, *, plant=None, label=None):
    """Return one view of a test cohort, without copying its images.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
    view : str
        ``"plain"``: as the cases are. ``"aligned"``: the shortcut is where the label
        is positive, and there alone. ``"adversarial"``: it is where the label is
        negative, and there alone.
    plant : callable, optional
        ``plant(image, case_id)`` returns the image of shape (c, h, w) with the
        shortcut drawn into it and the shortcut's mask, bool of shape (h, w). It is
        called when an image is read. Without it the shortcut is the data set's own,
        and a view selects the cases in which it agrees with the label, or does not.
    label : str, optional
        Which of `label_names` is under test, where a case has several labels or
        more than two classes. Cases whose label is uncertain or not mentioned are
        left out of the aligned and the adversarial view.

    Returns
    -------
    shortlib.data.Cohort

    Raises
    ------
    ValueError
        If the view is unknown, the label is not named or unknown, or the cohort
        has no shortcut of its own and none is planted.
    """
    if view not in VIEWS:
        raise ValueError(f"view must be one of {VIEWS}, got {view!r}")
    if view == "plain":
        return cohort
    positive = positives(cohort, label)
    known = ~np.isnan(positive)
    carries = (positive == 1) == (view == "aligned")
    name = f"{cohort.name}-{view}"
    if plant is None:
        shortcut = cohort.require("shortcut")
        if shortcut.ndim == 2:
            raise ValueError(
                f"cohort {cohort.name!r} has {shortcut.shape[1]} shortcuts; choose the cases of one"
            )
        return replace(cohort[known & (shortcut == carries)], name=name)
    cohort, carries = cohort[known], carries[known]
    images, masks = _planted(cohort, carries, plant)
    return replace(
        cohort,
        name=name,
        images=images,
        shortcut=carries,
        shortcut_masks=masks,
        shortcut_names=(),
    )


def positives(cohort, label=None):
    """Return 1 where a case has the label, 0 where it has not, NaN where nobody knows.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
    label : str, optional
        One of `label_names`; may be left out where there are two classes.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
    """
    labels, names = cohort.require("labels"), cohort.label_names
    if label is None and (labels.ndim == 2 or len(names) > 2):
        raise ValueError(f"name the label under test, one of {', '.join(names)}")
    if label is not None and label not in names:
        raise ValueError(f"label must be one of {', '.join(names) or 'none'}, got {label!r}")
    if labels.ndim == 1:
        return (labels == (1 if label is None else names.index(label))).astype(float)
    column = labels[:, names.index(label)].astype(float)
    return np.where(column == -1, np.nan, column)


def _planted(cohort, carries, plant):
    images = cohort.images
    if not isinstance(images, Streamed):
        array = images
        images = Streamed(
            lambda i: array[i], len(array), array.shape[1:], array.dtype, identity=cohort.checksum()
        )

    def drawn(image, position):
        if not carries[position]:
            return image, np.zeros(image.shape[1:], bool)
        return plant(image, str(cohort.case_ids[position]))

    identity = f"{getattr(plant, '__qualname__', plant)}|{carries.tolist()}"
    return (
        images.map(lambda image, i: drawn(image, i)[0], identity),
        images.map(
            lambda image, i: drawn(image, i)[1],
            f"mask of {identity}",
            shape=images.shape[2:],
            dtype=bool,
        ),
    )
