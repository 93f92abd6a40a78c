"""A linear layer on what an encoder sees, while the encoder stands still."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from shortlib.methods.erm import predict_erm


def fit_linear_probe(model, cohort, compute, *, class_weights="none", strength=1.0):
    """Fit the last layer of a network on embeddings of the training cases.

    Multinomial logistic regression with an L2 penalty, on embeddings that are scaled to
    mean 0 and standard deviation 1; the scaling then goes into the layer. It has one
    solution, so no seed, no rate and no number of epochs decides the result.

    Parameters
    ----------
    model : shortlib.models.phases.PhaseNetwork or shortlib.models.cnn.CNN
        On the device of `compute`. Its `head` is changed, nothing else.
    cohort : shortlib.data.Cohort
        With one label a case, each class of which occurs. Not augmented.
    compute : shortlib.methods.compute.Compute
    class_weights : str
        ``"none"`` or ``"balanced"``, as for
        :func:`shortlib.methods.classification.fit_classes`.
    strength : float
        Inverse of the penalty, scikit-learn's ``C``.

    Raises
    ------
    ValueError
        If a class has no case.

    References
    ----------
    The column "Zero" of Nakashima et al. (2023), who do not say how it was fitted.
    """
    labels = cohort.require("labels")
    classes = len(cohort.label_names)
    missing = sorted(set(range(classes)) - set(labels.tolist()))
    if missing:
        name = cohort.label_names[missing[0]]
        raise ValueError(f"cohort {cohort.name!r} has no training case of class {name!r}")
    embedded = predict_erm(model, cohort.images, compute)[1].astype(np.float64)
    mean, scale = embedded.mean(axis=0), embedded.std(axis=0)
    scale[scale == 0] = 1.0  # a dead feature says nothing
    weights = None if class_weights == "none" else class_weights
    regression = LogisticRegression(C=strength, class_weight=weights, max_iter=5000)
    regression.fit((embedded - mean) / scale, labels)
    slopes, offsets = regression.coef_, regression.intercept_
    if classes == 2:  # scikit-learn has one row there, that of the second class
        slopes, offsets = np.vstack([-slopes, slopes]) / 2, np.append(-offsets, offsets) / 2
    slopes = slopes / scale
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(slopes))
        model.head.bias.copy_(torch.from_numpy(offsets - slopes @ mean))
