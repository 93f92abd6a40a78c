"""What is measured after each epoch, and which epoch each selection rule then keeps."""

import numpy as np

from shortlib.methods.training import Rule
from shortlib.metrics.discrimination import auroc
from shortlib.studies.spatial_specificity.sources import TURNED

PAPER, AUROC, WORST, ORACLE = "paper", "validation-auroc", "worst-group", "oracle"
# Selection rule to its words; the paper's comes first.
SELECTIONS = {
    PAPER: "validation AUROC for image labels, validation Dice for pixel labels",
    AUROC: "validation AUROC",
    WORST: "robust AUROC on validation cases",
    ORACLE: "robust AUROC on the test cases themselves, which nobody can choose by",
}


def robust_subset(cohort, group_by):
    """Select the cases on which label and shortcut disagree; None if one kind is missing.

    Parameters
    ----------
    cohort : shortlib.data.Cohort
    group_by : str
        Which of several shortcuts; the only one where there is one.

    Returns
    -------
    numpy.ndarray of bool, shape (n,), or None
        Also None where nobody knows the shortcut.
    """
    carries = carried(cohort, group_by)
    if carries is None:
        return None
    against = carries != (cohort.labels == 1)
    both = {label for label in (0, 1) if (against & (cohort.labels == label)).any()}
    return against if len(both) == 2 else None


def carried(cohort, group_by):
    """Return whether each case carries a shortcut, bool of shape (n,); None if not known."""
    if cohort.shortcut is None:
        return None
    if cohort.shortcut.ndim == 1:
        return cohort.shortcut
    return cohort.shortcut[:, cohort.shortcut_names.index(group_by)]


class Watch:
    """The AUROC of a model on the cases that the selection rules look at.

    Parameters
    ----------
    parts : dict of str to shortlib.data.Cohort
    settings : dict
        ``group_by`` and ``robust``: ``"all"`` if all test cases go against the shortcut.
    predict : callable
        ``predict(model, images)`` returns one score an image, shape (n,).
    """

    def __init__(self, parts, settings, predict):
        self._predict, self._looked = predict, {}
        for name, part in (("validation", "validation"), ("test", "test")):
            turned = parts.get(TURNED[part])
            cohort = parts[part]
            if turned is not None:
                self._looked[f"{name}_robust_auroc"] = turned
            elif settings["robust"] == "all" and part == "test":
                self._looked[f"{name}_robust_auroc"] = cohort
            else:
                chosen = robust_subset(cohort, settings["group_by"])
                if chosen is not None:
                    self._looked[f"{name}_robust_auroc"] = cohort[chosen]

    def __call__(self, model):
        """Return each AUROC by its name."""
        return {
            name: auroc(cohort.labels, self._predict(model, np.asarray(cohort.images)))
            for name, cohort in self._looked.items()
        }

    def rules(self):
        """Return the rules that look at these cases, by selection."""
        monitors = {WORST: "validation_robust_auroc", ORACLE: "test_robust_auroc"}
        return {
            selection: Rule(monitor, "max")
            for selection, monitor in monitors.items()
            if monitor in self._looked
        }
