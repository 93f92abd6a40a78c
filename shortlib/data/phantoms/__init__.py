"""Built-in data: images made from a model that is written down, so the truth is known."""

from shortlib.data.phantoms.squares import squares

__all__ = ["squares"]
