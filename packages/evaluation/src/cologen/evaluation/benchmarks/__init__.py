"""The benchmarks, one small module each."""
