"""CoLoGen's evaluation: metrics, benchmarks, generation, scoring and reports behind the paper's tables."""
