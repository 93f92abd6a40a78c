"""From a manifest or a generator to a cohort."""

from shortlib.data.cohort import Cohort
from shortlib.data.specificity import specificity_labels

__all__ = ["Cohort", "specificity_labels"]
