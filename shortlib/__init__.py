"""shortlib: models, metrics and studies of shortcut learning in medical images."""

__version__ = "0.1.0"
