"""The variants of the study: what each trains with, and what it is called."""

# Variant to its name in tables and figures, from the least specific labels to the most.
VARIANTS = {
    "binary-erm": "Binary-ERM",
    "binary-jtt": "Binary-JTT",
    "binary-george": "Binary-GEORGE",
    "binary-group-dro": "Binary-GroupDRO",
    "quadrants": "Quadrant-ERM",
    "single-boxes": "Single-box-ERM",
    "boxes": "BBox-ERM",
    "masks": "Seg-ERM",
    "masks-ssl": "Seg-SSL",
    "masks-spl": "Seg-SPL",
}


def variant_name(variant, share, overlap=None):
    """Return a run's variant.

    E.g. ``"masks"``, ``"masks-12_5"`` for an eighth of the cases with a mask, or
    ``"masks-over-50"`` with half of each sticker on the lesion.
    """
    name = variant if share == 1 else f"{variant}-{100 * share:g}"
    name = name if overlap is None else f"{name}-over-{100 * overlap:g}"
    return name.replace(".", "_")
