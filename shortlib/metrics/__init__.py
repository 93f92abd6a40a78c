"""Numbers computed from predictions, pixels and embeddings; each says which way is better."""

from shortlib.metrics.activation import activation_precision
from shortlib.metrics.agreement import subgroup_cosine_similarity
from shortlib.metrics.correlation import fisher_interval, pearson
from shortlib.metrics.cost import annotation_cost
from shortlib.metrics.dice import dice, dice_of_counts
from shortlib.metrics.discrimination import auroc, robust_auroc, robust_cases
from shortlib.metrics.grouping import cluster_purity, error_set_precision, error_set_recall
from shortlib.metrics.intervals import (
    Interval,
    auroc_interval,
    auroc_over_seeds_interval,
    bootstrap_aurocs,
    bootstrap_aurocs_over_seeds,
    robust_auroc_interval,
    stratified_resamples,
)
from shortlib.metrics.matching import bootstrap_matched_aurocs, matched_auroc
from shortlib.metrics.multiclass import (
    hanley_mcneil,
    macro_auroc,
    micro_auroc,
    multiclass_aurocs,
)
from shortlib.metrics.multilabel import (
    ByFinding,
    multilabel_aurocs,
    multilabel_means,
)
from shortlib.metrics.overlap import anatomic_knowledge_score, empty_maps, soft_dice
from shortlib.metrics.resampling import case_counts
from shortlib.metrics.saliency import map_cosine_similarity, mass_inside
from shortlib.metrics.specificity import (
    mutual_information,
    mutual_information_closed_form,
    positive_fraction,
    variance_closed_form,
    variance_measure,
)

__all__ = [
    "ByFinding",
    "Interval",
    "activation_precision",
    "anatomic_knowledge_score",
    "annotation_cost",
    "auroc",
    "auroc_interval",
    "auroc_over_seeds_interval",
    "bootstrap_aurocs",
    "bootstrap_aurocs_over_seeds",
    "bootstrap_matched_aurocs",
    "case_counts",
    "cluster_purity",
    "dice",
    "dice_of_counts",
    "empty_maps",
    "error_set_precision",
    "error_set_recall",
    "fisher_interval",
    "hanley_mcneil",
    "macro_auroc",
    "map_cosine_similarity",
    "mass_inside",
    "matched_auroc",
    "micro_auroc",
    "multiclass_aurocs",
    "multilabel_aurocs",
    "multilabel_means",
    "mutual_information",
    "mutual_information_closed_form",
    "pearson",
    "positive_fraction",
    "robust_auroc",
    "robust_auroc_interval",
    "robust_cases",
    "soft_dice",
    "stratified_resamples",
    "subgroup_cosine_similarity",
    "variance_closed_form",
    "variance_measure",
]
