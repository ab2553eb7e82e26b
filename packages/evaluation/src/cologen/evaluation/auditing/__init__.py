"""The audit of metrics: how well each ranks outputs whose degree of wrongness is known."""
