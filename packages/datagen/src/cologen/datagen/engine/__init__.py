"""Passes over the parts of a dataset, run on Ray: the only package of datagen that imports Ray."""
