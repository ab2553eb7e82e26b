"""Pictures to the conditions that steer generation: canny, depth, HED, lineart and segmentation, batched tensors."""
