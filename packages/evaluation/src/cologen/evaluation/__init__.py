"""CoLoGen's evaluation: the metrics and benchmarks behind the paper's tables."""
