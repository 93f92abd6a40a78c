"""Where a fit of several parts keeps their states: a checkpoint a part, beside the run's own."""

SUFFIX = ".checkpoint.safetensors"


def part_of(checkpoint, part):
    """Return the checkpoint of one part of a fit.

    Parameters
    ----------
    checkpoint : pathlib.Path or None
        The run's own, as the store hands it to a fit; it ends in `SUFFIX`.
    part : str
        Letters, digits, ``-`` and ``_``, e.g. the name of a model that is trained.

    Returns
    -------
    pathlib.Path or None
        None where no checkpoint is asked for. The store removes it once the run is
        written, and sets it aside if the fit cannot resume from it.
    """
    if not part or not part.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"part is a name of letters, digits, - and _, got {part!r}")
    return checkpoint and checkpoint.with_name(f"{_stem(checkpoint)}.{part}{SUFFIX}")


def parts_of(checkpoint):
    """List the checkpoints of parts that are on disk, sorted."""
    start = f"{_stem(checkpoint)}."
    return sorted(
        path
        for path in checkpoint.parent.iterdir()
        if path.name.startswith(start) and path.name.endswith(SUFFIX) and path != checkpoint
    )


def _stem(checkpoint):
    return checkpoint.name.removesuffix(SUFFIX)
