"""What the dataset readers share: indexes, JSON, Parquet rows, checked fields, requirements of a folder."""
