"""The metrics: pure functions on tensors, and the records that name them."""
