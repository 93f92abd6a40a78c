"""Hagos et al. (2023): unlearning a confounder from two exemplary explanations."""
