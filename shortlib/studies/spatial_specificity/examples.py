"""Drawn cases to show, of no run: larger than those that networks see."""

from dataclasses import replace

from shortlib.data.phantoms.chest import chest
from shortlib.data.phantoms.skin import skin

SIDE = 160  # pixels
# Artefacts whose outline is seen on a small picture.
_SEEN = ("ruler", "ink", "gel_bubble")


def drawn_examples(n=12):
    """Draw positive cases that carry shortcuts.

    Parameters
    ----------
    n : int
        Of each kind.

    Returns
    -------
    dict of str to shortlib.data.Cohort
        ``"radiograph"``, with chest tubes, and ``"skin"``, with artefacts; masks of lesions have
        one plane.
    """
    radiographs = chest(
        n,
        task="pneumothorax",
        size=SIDE,
        seed=7,
        findings={"Pneumothorax": 1.0},
        p_tube={0: 1.0, 1: 1.0},
    )
    lesions = radiographs.abnormality_masks.any(axis=1)
    return {
        "radiograph": replace(radiographs, abnormality_masks=lesions, abnormality_names=()),
        "skin": skin(n, size=SIDE, seed=7, part="train", melanoma=1.0, artefacts=_SEEN),
    }
