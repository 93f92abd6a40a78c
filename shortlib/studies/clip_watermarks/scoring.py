"""Scores of a model on the three test views, as rows of a run's predictions."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from shortlib.data.views import VIEWS
from shortlib.shortcuts.watermark import view_of_label

SEED = 0  # of the symbols' jitter in the test views, the same for every run


@dataclass(frozen=True)
class MarkedCases:
    """The test cases plain, and with each finding's symbol drawn on all of them.

    Attributes
    ----------
    cohort : shortlib.data.Cohort
        Plain.
    marked : dict of str to numpy.ndarray of uint8, shape (n, c, h, w)
        By finding. Positives come from its aligned view, negatives from its adversarial
        one; a case whose label is unknown is in neither and stays plain.
    masks : dict of str to numpy.ndarray of bool, shape (n, h, w)
        The symbol's pixels.
    """

    cohort: object
    marked: dict
    masks: dict

    def __getitem__(self, index):
        """Return the same of some cases."""
        return replace(
            self,
            cohort=self.cohort[index],
            marked={name: images[index] for name, images in self.marked.items()},
            masks={name: masks[index] for name, masks in self.masks.items()},
        )

    def scores(self, predict):
        """Score every case plain and marked.

        Parameters
        ----------
        predict : callable
            Images of shape (n, c, h, w) to scores of shape (n, k), a column a finding.

        Returns
        -------
        plain, marked : numpy.ndarray of float32, shape (n, k)
            Column k of `marked` is finding k's score on images with its own symbol.
        """
        plain = predict(self.cohort.images)
        marked = [predict(images)[:, k] for k, images in enumerate(self.marked.values())]
        return plain, np.stack(marked, axis=1)

    def table(self, plain, marked, *, views=VIEWS):
        """Lay scores out as rows: a finding, a view and a case whose label is known.

        Returns
        -------
        pandas.DataFrame
            ``case_id``, ``finding``, ``view``, ``label``, ``shortcut``, ``score``.
        """
        rows = []
        for k, finding in enumerate(self.cohort.label_names):
            labels = self.cohort.labels[:, k]
            known = labels >= 0
            for view in views:
                carries = np.zeros(len(labels), bool)
                if view != "plain":
                    carries = (labels == 1) == (view == "aligned")
                rows.append(
                    pd.DataFrame(
                        {
                            "case_id": self.cohort.case_ids[known],
                            "finding": finding,
                            "view": view,
                            "label": labels[known].astype("int8"),
                            "shortcut": carries[known].astype("int8"),
                            "score": np.where(carries, marked[:, k], plain[:, k])[known],
                        }
                    )
                )
        return pd.concat(rows, ignore_index=True)


def mark_cases(cohort, watermark):
    """Draw each finding's symbol on the test cases.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
        In memory.
    watermark : shortlib.shortcuts.watermark.Watermark

    Returns
    -------
    MarkedCases
    """
    marked, masks = {}, {}
    for finding in cohort.label_names:
        images = np.array(cohort.images)
        ink = np.zeros((len(images), *images.shape[2:]), bool)
        place = {case_id: row for row, case_id in enumerate(cohort.case_ids)}
        for view in VIEWS[1:]:
            seen = view_of_label(cohort, view, finding, watermark, seed=SEED)
            carriers = seen[seen.shortcut]
            rows = [place[case_id] for case_id in carriers.case_ids]
            if rows:
                images[rows] = np.asarray(carriers.images)
                ink[rows] = np.asarray(carriers.shortcut_masks)
        marked[finding], masks[finding] = images, ink
    return MarkedCases(cohort, marked, masks)
