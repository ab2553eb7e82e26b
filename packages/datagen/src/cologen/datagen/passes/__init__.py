"""What happens to one part of a dataset: the passes that the engine runs, each a pure function of (part, recipe)."""
