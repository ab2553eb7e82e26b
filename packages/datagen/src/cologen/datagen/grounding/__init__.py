"""Image grounding, stage 1 of the curriculum: which objects the words mean, and the marks that show them."""
