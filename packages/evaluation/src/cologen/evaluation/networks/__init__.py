"""The networks that read pictures: CLIP, DINO, Inception, depth, segmentation."""
