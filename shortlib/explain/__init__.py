"""Saliency: which pixels a model's output stands on."""
