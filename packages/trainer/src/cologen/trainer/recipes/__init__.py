"""A run as one value: its stages and hyperparameters, the built-in recipes, their variants and overrides."""
