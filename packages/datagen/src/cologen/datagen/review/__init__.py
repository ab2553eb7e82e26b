"""What is done with a finished manifest: verify it, describe it, show it."""
