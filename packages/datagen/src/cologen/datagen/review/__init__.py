"""Review of a finished manifest: verification, dataset card, report."""
