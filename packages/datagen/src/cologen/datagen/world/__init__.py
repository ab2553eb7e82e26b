"""The synthetic dataset: scenes with picture, captions, masks, depth, edits and subject pairs."""
