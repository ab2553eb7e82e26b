"""The benchmarks of the synthetic dataset: text, the five tasks and depth, on held-out scenes that are read back."""
