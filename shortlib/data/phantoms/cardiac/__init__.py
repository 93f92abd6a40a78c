"""Built-in short-axis cine images of the heart, from tissue to scanner."""

from shortlib.data.phantoms.cardiac.cohort import cardiac
from shortlib.data.phantoms.cardiac.disease import CLASSES

__all__ = ["CLASSES", "cardiac"]
