"""Which two training cases are the good and the bad explanation: rules that need no person."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shortlib.data.seeds import derive_seed
from shortlib.explain.grad_cam_maps import grad_cam_maps
from shortlib.methods.erm import predict_erm
from shortlib.metrics.activation import activation_precision

# How exemplars come about: by rule, by a person, or many pairs that are drawn in two ways.
AUTOMATIC, PERSON, DRAWN = "automatic", "person", "drawn"
CAREFUL, BLIND = "careful", "blind"


@dataclass(frozen=True)
class Pair:
    """Two training cases whose explanations are the exemplars.

    Attributes
    ----------
    name : str
        Of the pair within a run, e.g. ``"careful-03"``.
    good, bad : str
        Case ids.
    """

    name: str
    good: str
    bad: str


def rank_candidates(model, cohort, compute, *, top):
    """Measure the explanation of every training case.

    Parameters
    ----------
    model : shortlib.models.cnn.CNN
        The unrefined one.
    cohort : shortlib.data.Cohort
        The training cases, with one plane of anatomy masks.
    compute : shortlib.methods.compute.Compute
    top : float
        Share of a map's pixels that is active, see
        :func:`shortlib.metrics.activation_precision`.

    Returns
    -------
    maps : numpy.ndarray of float32, shape (n, h, w)
        Grad-CAM of the predicted class.
    candidates : pandas.DataFrame
        A row a case: ``case_id``, ``class`` and ``predicted`` (their numbers), ``confidence``
        (probability of the predicted class) and ``ap``, the activation precision on the lungs.
    """
    logits = predict_erm(model, cohort.images, compute)[0].astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    maps = grad_cam_maps(model, cohort.images, targets=predicted)[:, 0]
    columns = {
        "case_id": cohort.case_ids,
        "class": cohort.labels,
        "predicted": predicted,
        "confidence": probabilities.max(axis=1),
        "ap": activation_precision(maps, cohort.require("anatomy_masks"), top=top),
    }
    return maps, pd.DataFrame(columns)


def automatic_pair(candidates):
    """Take the explanation that lies most in the lungs as the good one, the least as the bad one.

    Only cases that the model gets right count, so that both explain the case's own class. Of equal
    ones the surest comes first, then the first by id. The masks of the training cases are used for
    this choice alone; it stands in for a person who looks.

    Parameters
    ----------
    candidates : pandas.DataFrame
        See :func:`rank_candidates`.

    Returns
    -------
    Pair

    Raises
    ------
    ValueError
        If the model gets fewer than two training cases right.
    """
    right = _right(candidates)
    by = {"by": ["ap", "confidence", "case_id"]}
    bad = right.sort_values(**by, ascending=[True, False, True])["case_id"].iloc[0]
    good = right[right["case_id"] != bad].sort_values(**by, ascending=[False, False, True])
    return Pair(AUTOMATIC, str(good["case_id"].iloc[0]), str(bad))


def careful_pairs(candidates, n, *, seed):
    """Draw pairs as careful people might choose them.

    The good one comes from the tenth of the explanations that lie most in the lungs, the bad one
    from the tenth that lies there least, of cases that the model gets right.

    Parameters
    ----------
    candidates : pandas.DataFrame
    n : int
    seed : int

    Returns
    -------
    list of Pair
        All different, if there are so many.

    Raises
    ------
    ValueError
        If the model gets fewer than two training cases right.
    """
    ranked = _right(candidates).sort_values(["ap", "case_id"])["case_id"].to_numpy()
    tenth = max(1, len(ranked) // 10)
    return _drawn(CAREFUL, ranked[-tenth:], ranked[:tenth], n, seed)


def blind_pairs(candidates, n, *, seed):
    """Draw pairs without a look: any two training cases, in any order.

    Parameters
    ----------
    candidates, n, seed
        As for :func:`careful_pairs`.

    Returns
    -------
    list of Pair
    """
    ids = np.sort(candidates["case_id"].to_numpy())
    return _drawn(BLIND, ids, ids, n, seed)


def _right(candidates):
    right = candidates[candidates["class"] == candidates["predicted"]]
    if len(right) < 2:
        raise ValueError(
            "exemplars are chosen among training cases that the model gets right, of which two are "
            f"needed; it gets {len(right)} of {len(candidates)} right"
        )
    return right


def _drawn(rule, goods, bads, n, seed):
    pairs = [(good, bad) for good in goods for bad in bads if good != bad]
    rng = np.random.default_rng(derive_seed(seed, "exemplars", rule))
    chosen = rng.choice(len(pairs), size=n, replace=n > len(pairs))
    return [
        Pair(f"{rule}-{number:02d}", *map(str, pairs[place])) for number, place in enumerate(chosen)
    ]
