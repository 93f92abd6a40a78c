"""The study's controls: reports that mention the symbols, and a CNN with a new last layer."""

from shortlib.data.views import VIEWS
from shortlib.studies.clip_watermarks.resampled import of_variant, scored, step_of

NEW_HEAD = "new head"


def mention(runs, *, stage="fine-tuned"):
    """Compare shortcut-trained CLIPs whose reports mention the symbols with those that do not.

    Returns
    -------
    dict of str to dict of str to Estimate
        By test view, fine-tuned or, at the stage ``"pretrained"``, zero-shot:
        ``"silent"``, ``"mention"`` and ``"difference"``, the second minus the first, paired by case
        and seed; of the seeds that both have. Empty if there is none.
    """
    pair = {"silent": of_variant(runs, "clip"), "mention": of_variant(runs, "clip-mention")}
    seeds = set.intersection(*({run.seed for run in chosen} for chosen in pair.values()))
    if not seeds:
        return {}
    pair = {name: [run for run in chosen if run.seed in seeds] for name, chosen in pair.items()}
    found = {}
    for view in VIEWS:
        silent, mentioned = (
            scored(chosen, "shortcut", view, step_of(chosen[0], stage)).mean()
            for chosen in pair.values()
        )
        difference = mentioned - silent
        found[view] = {"silent": silent, "mention": mentioned, "difference": difference}
    return found


def new_head(runs):
    """Compare shortcut-trained models whose last layer was new when they were fine-tuned.

    A CLIP's classifier is new by necessity, while the CNN's own one has learnt the symbols. The
    CNN with a new one tells what the encoder forgets from what a new layer has never known.

    Returns
    -------
    dict of str to dict of str to Estimate
        By test view, mean AUROC over findings after the last epoch on the main amount of clean
        images: ``"own head"`` and ``"new head"`` of the CNN, ``"CLIP"``, and ``"difference"``,
        CLIP minus the CNN with a new head, paired by case and seed; of the seeds that both
        methods have. Empty if there is none.
    """
    pair = {method: of_variant(runs, method) for method in ("cnn", "clip")}
    seeds = set.intersection(*({run.seed for run in chosen} for chosen in pair.values()))
    cnn, clip = ([run for run in chosen if run.seed in seeds] for chosen in pair.values())
    found = {}
    for view in VIEWS if seeds else ():
        models = {
            "own head": scored(cnn, "shortcut", view, step_of(cnn[0], "fine-tuned")),
            NEW_HEAD: scored(cnn, "shortcut", view, step_of(cnn[0], "fine-tuned"), stage=NEW_HEAD),
            "CLIP": scored(clip, "shortcut", view, step_of(clip[0], "fine-tuned")),
        }
        if all(measured is not None for measured in models.values()):
            means = {name: measured.mean() for name, measured in models.items()}
            found[view] = {**means, "difference": means["CLIP"] - means[NEW_HEAD]}
    return found
