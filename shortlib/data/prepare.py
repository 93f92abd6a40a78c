"""From an original image to the file that a reader reads."""

import os
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from PIL import Image

from shortlib.data.images import decoding
from shortlib.data.problems import DataError

# A mask's original may hold a third value for what is to be ignored, halfway up.
INSIDE = 128


def preparation_of(manifest, file):
    """Return the preparation of a file, the first whose pattern fits, or None."""
    fitting = (p for p in manifest.prepare if fnmatchcase(file, p.match))
    return next(fitting, None)


def prepare(original, target, preparation=None):
    """Write the prepared file; it appears under its name only when it is whole.

    Parameters
    ----------
    original, target : pathlib.Path
        `target` ends in ``.png`` or ``.jpg``.
    preparation : shortlib.data.manifest.Preparation, optional
        Without one the bytes stay as they are.

    Raises
    ------
    DataError
        If the original cannot be decoded.
    """
    original, target = Path(original), Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    waiting = target.with_name(f".{target.name}.part")
    if preparation is None:
        shutil.copyfile(original, waiting)
    else:
        with decoding(original, "image"), Image.open(original) as image:
            image = _resized(_in_mode(image, preparation.mode), preparation)
            if target.suffix.lower() == ".png":
                image.save(waiting, "PNG")
            else:
                image.save(waiting, "JPEG", quality=preparation.quality)
    os.replace(waiting, target)


def check_prepared(path, preparation):
    """Check mode and size of a prepared file by its header, without decoding it.

    Raises
    ------
    DataError
        If it is no image, or not of the mode and size that the preparation gives.
    """
    with decoding(path, "image"), Image.open(path) as image:
        due = "RGB" if preparation.mode == "colour" else "L"
        size = image.size
        wrong = image.mode != due
        wrong |= preparation.size is not None and size != tuple(preparation.size)
        wrong |= preparation.longest is not None and max(size) > preparation.longest
        if wrong:
            sides = preparation.size or f"at most {preparation.longest}"
            raise DataError(
                "not as prepared",
                f"is {image.mode} {size[0]}x{size[1]} px; {due}, {sides} px is due",
                path=path,
            )


def _in_mode(image, mode):
    if image.mode == "P":  # colours of a palette may be transparent
        image = image.convert("RGBA")
    if mode == "colour":
        return image.convert("RGB")
    if image.mode.startswith("I"):  # 16 bits: the upper eight
        values = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray((values >> 8).astype(np.uint8))
    image = image.convert("L")
    return image.point(lambda value: 255 if value >= INSIDE else 0) if mode == "mask" else image


def _resized(image, preparation):
    size = preparation.size
    if size is None and preparation.longest is not None:
        scale = min(preparation.longest / max(image.size), 1)
        size = tuple(max(round(side * scale), 1) for side in image.size)
    if size is None or size == image.size:
        return image
    if preparation.mode == "mask":
        share = image.resize(size, Image.Resampling.BOX)
        return share.point(lambda value: 255 if value >= INSIDE else 0)
    return image.resize(size, Image.Resampling.LANCZOS)
