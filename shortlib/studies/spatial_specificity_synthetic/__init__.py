"""Saab et al. (2022), Section 3: spatial specificity on squares in noise."""
