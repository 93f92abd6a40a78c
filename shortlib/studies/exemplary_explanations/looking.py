"""What a person looks at to choose exemplars: a run's training images, and its model's maps."""

import numpy as np

from shortlib.methods.compute import choose_compute
from shortlib.runs.request import Request
from shortlib.studies.exemplary_explanations.exemplars import AUTOMATIC, PERSON, rank_candidates
from shortlib.studies.exemplary_explanations.refinements import UNREFINED, build_model
from shortlib.studies.exemplary_explanations.sources import check_source, load_parts


def candidates_of(run, *, data_root=None):
    """Map all training cases of a run by its unrefined model.

    Parameters
    ----------
    run : shortlib.runs.Run
        With its weights.
    data_root : str or pathlib.Path, optional
        Folder of the real data sets; by default the one that the run was fitted with.

    Returns
    -------
    dict
        ``case_ids``, ``labels``, ``predicted``, ``confidence``: one a case; ``images`` uint8 and
        ``maps`` float32 in [0, 1], each of shape (n, h, w); ``label_names``; and ``run``, the name
        of the run that rests on the same unrefined model and on the automatic exemplars, for a
        choice replaces those.

    Raises
    ------
    FileNotFoundError
        If the run is kept without weights, as committed runs are.
    shortlib.data.problems.DataError
        If its data are not here, or are others now.
    """
    settings, weights = run.settings, run.weights
    root = data_root or run.request.get("data_root")
    check_source(settings, run.request["data_checksum"], data_root=root)
    cohort = load_parts(settings, seed=run.seed, data_root=root)["train"]
    compute = choose_compute("cpu", settings["network"])
    model = build_model({**settings, "weights": "random"}, cohort)  # its own are put in below
    prefix = f"{UNREFINED}/"
    model.load_state_dict(
        {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
    )
    model = compute.place(model)
    with compute.active():
        maps, table = rank_candidates(model, cohort, compute, top=settings["top"])
    return {
        "case_ids": table["case_id"].to_numpy(),
        "images": np.asarray(cohort.images)[:, 0],
        "maps": maps,
        "labels": table["class"].to_numpy(),
        "label_names": cohort.label_names,
        "predicted": table["predicted"].to_numpy(),
        "confidence": table["confidence"].to_numpy(),
        "run": _automatic_name(run),
    }


def _automatic_name(run):
    """Return the run's name, or that of the one in whose place a person's exemplars put it."""
    if run.settings["exemplars"]["rule"] != PERSON:
        return run.path.name
    settings = {**run.settings, "exemplars": {"rule": AUTOMATIC}}
    return Request(**{**run.request, "settings": settings}).name
