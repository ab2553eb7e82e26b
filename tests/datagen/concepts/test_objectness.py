"""A whole object scores above its parts, above an object with some ground, and above the ground."""

import cv2
import numpy as np

from cologen.datagen.concepts.background import contrast, foreground
from cologen.datagen.concepts.objectness import objectness
from cologen.datagen.concepts.superpixels import superpixels
from cologen.datagen.randomness import generator


def test_the_whole_scores_highest() -> None:
    truth = cv2.circle(np.zeros((128, 160), np.uint8), (80, 60), 32, (1,), -1)
    colors = np.where(truth[..., None] > 0, np.array([30, 70, 160]), np.array([170, 180, 160]))
    picture = (colors + generator(3, "grain").integers(-12, 13, size=colors.shape)).astype(np.uint8)
    patches = superpixels(picture, 200)
    y, x = np.indices(truth.shape)
    shapes = (
        truth,
        truth & (x < 80),
        truth | ((x > 80) & (x < 140) & (y > 40) & (y < 80)),
        (y > 100),
        (x - y) ** 2 < 90,
    )
    members = [np.bincount(patches.labels.ravel(), shape.ravel(), len(patches.areas)) for shape in shapes]
    groups = np.stack(members) > 0.5 * patches.areas
    likely = foreground(patches)
    scores = objectness(patches, likely, contrast(patches, likely), groups)
    assert scores.argmax() == 0
    assert scores[0] > 0.7
    assert scores[3:].max() < 0.05
