"""Outputs to a log of values, one line per output."""
