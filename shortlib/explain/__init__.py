"""Saliency: which pixels a model's output stands on."""

from shortlib.explain.grad_cam import grad_cam

__all__ = ["grad_cam"]
