"""A batch to a loss, a step, a checkpoint, a finished stage."""
