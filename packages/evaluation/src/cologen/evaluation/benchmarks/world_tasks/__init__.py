"""The synthetic dataset's own benchmarks: six tasks on held-out scenes, measured by reading the outputs back."""
