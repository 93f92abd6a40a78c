"""Which of a study's runs a number stands on."""

from shortlib.studies.spatial_specificity.resampled import AGAINST, PLAIN, TURNED
from shortlib.studies.spatial_specificity.variants import VARIANTS

# Which of a run's test cases go against the shortcut, by the data's `robust`.
ROBUST = {"turned": TURNED, "all": PLAIN, "subset": AGAINST}


def of(runs, variant, share=1.0):
    """Choose the runs of a variant and share, by seed, so that results are paired by seed.

    On stickers they are those of the least overlap among `runs`; see :func:`by_overlap`.
    """
    method = VARIANTS[variant]
    chosen = [
        run
        for run in without_dial(runs)
        if run.request["method"] == method and run.settings["share"] == share
    ]
    return sorted(chosen, key=lambda run: run.seed)


def shares_of(runs, variant):
    """List the shares of training cases with labels that a variant was fitted on, rising."""
    method = VARIANTS[variant]
    return sorted({run.settings["share"] for run in runs if run.request["method"] == method})


def pixel_tables(runs):
    """Return the sums over positive pixels of each seed."""
    return [run.table("pixels") for run in of(runs, "masks")]


def by_overlap(runs):
    """Sort runs on stickers by the share of a sticker that lies on the lesion."""
    found = {}
    for run in runs:
        drawn = run.settings["source"].get("drawn", {})
        if "overlap" in drawn:
            found.setdefault(float(drawn["overlap"]), []).append(run)
    return dict(sorted(found.items()))


def swept(runs):
    """Keep the seeds that also have runs on a part of the cases, so that all stand on the same."""
    seeds = {run.seed for run in runs if run.settings["share"] < 1}
    return [run for run in runs if run.seed in seeds] if seeds else list(runs)


def against(chosen):
    """Return the view of a run's test cases that go against the shortcut."""
    return ROBUST[chosen[0].settings["robust"]]


def without_dial(runs):
    """Keep the first setting of the dial, where there is one."""
    dialled = by_overlap(runs)
    return next(iter(dialled.values())) if dialled else runs
