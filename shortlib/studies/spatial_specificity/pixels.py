"""What each kind of label marks as positive: sums over pixels, case by case."""

import numpy as np
import pandas as pd

from shortlib.data.supervision import SUPERVISIONS, supervision_labels


def pixel_sums(train):
    """Add up the training pixels that each kind of label calls positive.

    From these sums the variance measure and the information measure of any resample of the cases
    follow exactly; see :func:`shortlib.studies.spatial_specificity.resampled.variance`.

    Parameters
    ----------
    train : shortlib.data.Cohort
        With masks of one plane.

    Returns
    -------
    pandas.DataFrame
        A row a positive case and supervision: ``case_id``, ``supervision``, ``share`` (of the image
        that is labelled positive), ``n`` (values: pixels times channels), ``sum`` and ``squares``
        of the values, scaled to mean 0 and standard deviation 1 over all training pixels, by
        channel. Where shortcut masks are there also, by shortcut's name, ``inside <name>``: the
        share of its pixels in the case that are labelled positive; NaN where it has none.
    """
    images = np.asarray(train.images)
    mean = images.mean(axis=(0, 2, 3), dtype=np.float64)
    deviation = images.std(axis=(0, 2, 3), dtype=np.float64)
    positive = np.flatnonzero(train.labels == 1)
    lesions = np.asarray(train.abnormality_masks)[positive]
    planes = _shortcut_planes(train, positive)
    tables = []
    for kind in SUPERVISIONS:
        labels = supervision_labels(lesions, kind)
        rows = {
            "case_id": train.case_ids[positive],
            "supervision": kind,
            "share": labels.mean(axis=(1, 2)),
            "n": labels.sum(axis=(1, 2)) * images.shape[1],
        }
        sums = np.zeros((2, len(positive)))
        for row, (case, label) in enumerate(zip(positive, labels, strict=True)):
            values = (images[case][:, label] - mean[:, None]) / deviation[:, None]
            sums[:, row] = values.sum(), (values**2).sum()
        rows["sum"], rows["squares"] = sums
        for name, masks in planes.items():
            total = masks.sum(axis=(1, 2))
            both = (masks & labels).sum(axis=(1, 2))
            share = np.divide(both, total, out=np.full(len(total), np.nan), where=total > 0)
            rows[f"inside {name}"] = share
        tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True)


def _shortcut_planes(cohort, rows):
    """Return the masks of each shortcut by its name, where they are known."""
    if cohort.shortcut_masks is None:
        return {}
    masks = np.asarray(cohort.shortcut_masks)[rows]
    masks = masks[:, None] if masks.ndim == 3 else masks
    names = cohort.shortcut_names or ("shortcut",)
    return {name: masks[:, k] for k, name in enumerate(names)}
