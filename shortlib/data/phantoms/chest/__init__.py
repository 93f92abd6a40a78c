"""Radiograph-like chest images computed from a body of tissue, air, bone and metal."""

from shortlib.data.phantoms.chest.phantom import chest
from shortlib.data.phantoms.chest.population import Population

__all__ = ["Population", "chest"]
