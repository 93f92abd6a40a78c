"""Planted shortcuts: what is drawn into an image, and how it goes with the label."""
