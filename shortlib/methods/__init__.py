"""Ways to train a model: one method a module."""
