"""Exact measures of pictures of the synthetic dataset: a reader without networks, and what its readings are worth."""
