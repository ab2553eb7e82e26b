"""Observers of a training run: metrics, trackers, the progress line, sample grids, the report."""
