"""Images inside Parquet files: one cell is read without its whole column, and damaged files end in one error."""
