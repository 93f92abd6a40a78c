"""Spatial specificity of the labels on images: Saab et al. (2022), Sections 4 and 5."""
