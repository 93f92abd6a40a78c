"""One run: a method pre-trained with and without watermarks, each arm fine-tuned and tested."""

from copy import deepcopy

import pandas as pd

from shortlib.methods.checkpoint_parts import part_of
from shortlib.methods.compute import choose_compute
from shortlib.runs.folder import Fitted
from shortlib.shortcuts.watermark import Watermark
from shortlib.studies.clip_watermarks.saliency import ARMS, compare_maps, example_maps
from shortlib.studies.clip_watermarks.scoring import mark_cases
from shortlib.studies.clip_watermarks.sources import check_source, load_parts
from shortlib.studies.clip_watermarks.training import (
    SELECTION,
    check_weights,
    fine_tuned,
    pretrain,
)

VERSION = 2


def fit(request, *, device="cpu", threads=1, checkpoint=None, checkpoint_seconds=120.0):
    """Fit one run.

    Parameters
    ----------
    request : shortlib.runs.request.Request
        ``settings`` as ``profiles.yml`` explains them.
    device : str
    threads : int
    checkpoint : pathlib.Path, optional
        Each arm's pre-training has its own beside it.
    checkpoint_seconds : float

    Returns
    -------
    shortlib.runs.folder.Fitted

    Raises
    ------
    shortlib.data.problems.DataError
        If the data are not here, or not those that the run was asked for on.
    """
    settings, seed, method = request.settings, request.seed, request.method
    compute = choose_compute(device, settings["network"], threads=threads)
    check_weights(method, settings)
    check_source(settings, request.data_checksum, data_root=request.data_root)
    parts, counts = load_parts(settings, seed=seed, data_root=request.data_root)
    watermark = Watermark(symbols=tuple(settings["symbols"]), **settings.get("watermark", {}))
    tested = mark_cases(parts["test"], watermark)
    predictions, history, weights, outputs, epochs, resumed = [], [], {}, {}, {}, []
    with compute.active():
        for arm in settings["arms"]:
            before = pretrain(
                method,
                arm,
                parts,
                settings,
                watermark=watermark,
                compute=compute,
                seed=seed,
                checkpoint=checkpoint and part_of(checkpoint, arm),
                checkpoint_seconds=checkpoint_seconds,
                label=f"{request.variant} seed {seed} {arm}",
            )
            table = tested.table(*tested.scores(before.predict))
            predictions.append(_marked(table, arm, "pretrained", 0, 0))
            history.append(_history(before.trained, arm, "pretrained", 0))
            epochs[arm], outputs[arm] = before.trained.best_epochs[SELECTION], before.output
            weights |= _named(f"{arm}/pretrained", before.model)
            resumed += before.trained.history[: before.trained.resumed_from]
            for n, stage in _further(method, counts):
                encoder, kept = deepcopy(before.image_encoder), []
                followed = stage == "fine-tuned" and n == counts[0]
                watched = settings["watch"] if followed else settings["watch"][-1:]

                def watch(predict, epoch, kept=kept, watched=watched):
                    if epoch in watched:
                        kept.append((epoch, *tested.scores(predict)))

                trained = fine_tuned(
                    encoder,
                    parts["clean"][:n],
                    settings,
                    compute=compute,
                    seed=seed,
                    new_head=method == "clip" or stage == "new head",
                    watch=watch,
                )
                for epoch, *scores in kept:
                    table = tested.table(*scores)
                    predictions.append(_marked(table, arm, stage, n, epoch))
                history.append(_history(trained, arm, stage, n))
                if followed:
                    weights |= _named(f"{arm}/fine-tuned", encoder)
        tables, examples = {"cases": _cases(parts["test"])}, {}
        if settings["saliency"] and set(outputs) == set(ARMS):
            options = {name: settings["saliency"][name] for name in ("steps", "samples", "noise")}
            some = tested[: settings["saliency"]["cases"]]
            tables["saliency"] = compare_maps(outputs, some, **options, seed=seed)
            # Maps of patients are derived from their images and stay where those are.
            if "made" in settings["source"].get("clinic", {}):
                examples = example_maps(outputs, tested, **options, seed=seed)
    return Fitted(
        predictions=pd.concat(predictions, ignore_index=True),
        history=pd.concat(history, ignore_index=True),
        weights=weights,
        tables=tables,
        examples=examples,
        facts={
            "best_epochs": epochs,
            # Of all arms together: each has a checkpoint of its own.
            "resumed_from_epoch": len(resumed),
            "resumed_seconds": sum(row["seconds"] for row in resumed),
            "compute": vars(compute),
            "cases": {name: len(part) for name, part in parts.items()},
            "skipped": {name: len(part.skipped) for name, part in parts.items()},
            "cohort_checksums": {name: part.checksum() for name, part in parts.items()},
        },
    )


def _further(method, counts):
    """List what each arm is fine-tuned on, and as what.

    A CLIP's classifier is new, a CNN's has learnt the symbols with the rest of it. To tell what
    the encoder forgets from what a new last layer does, the CNN is fine-tuned with a new one, too.
    """
    control = [(counts[0], "new head")] if method == "cnn" else []
    return [(n, "fine-tuned") for n in counts] + control


def _cases(tested):
    """Say whose each test case is: cases of one patient are resampled together."""
    patients = tested.case_ids if tested.patient_ids is None else tested.patient_ids
    return pd.DataFrame({"case_id": tested.case_ids, "patient_id": patients})


def _marked(table, arm, stage, clean, epoch):
    return table.assign(
        split="test", selection=SELECTION, arm=arm, stage=stage, clean=clean, epoch=epoch
    )


def _history(trained, arm, stage, clean):
    return pd.DataFrame(trained.history).assign(arm=arm, stage=stage, clean=clean)


def _named(prefix, model):
    return {
        f"{prefix}/{name}": tensor.detach().cpu().contiguous().clone()
        for name, tensor in model.state_dict().items()
    }
