"""Rows of manifests to batches of pixels."""
