"""CoLoGen's trainer: the five stages of the curriculum, from manifests to adapters."""
