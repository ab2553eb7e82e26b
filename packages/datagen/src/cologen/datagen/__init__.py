"""CoLoGen's data: from datasets on disk to verified Parquet manifests. Start with ``ARCHITECTURE.md``."""
