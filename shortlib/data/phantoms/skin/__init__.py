"""Built-in skin data: pictures of moles and melanomas made from a model that is written down."""

from shortlib.data.phantoms.skin.association import PREVALENCE, SHORTCUTS
from shortlib.data.phantoms.skin.cases import skin

__all__ = ["PREVALENCE", "SHORTCUTS", "skin"]
