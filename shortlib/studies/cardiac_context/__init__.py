"""Nakashima et al. (2023): contrastive self-supervision and context in cardiac MR."""
