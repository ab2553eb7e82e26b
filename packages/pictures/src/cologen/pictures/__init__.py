"""Decoded pictures to RGB and to masks, by the same rules for training and for inference."""
