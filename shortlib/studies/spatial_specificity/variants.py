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


def variant_name(variant, share):
    """Return a run's variant, e.g. ``"masks"`` or ``"masks-12_5"`` for an eighth of the cases."""
    return variant if share == 1 else f"{variant}-{100 * share:g}".replace(".", "_")
