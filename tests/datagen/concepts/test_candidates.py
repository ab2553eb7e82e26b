"""Candidates are connected or nearly so, lie between the limits, and hold every plain object."""

import cv2
import numpy as np

from cologen.datagen.concepts.background import foreground
from cologen.datagen.concepts.candidates import candidates, grown
from cologen.datagen.concepts.superpixels import Superpixels, superpixels

PICTURE = cv2.circle(np.full((128, 160, 3), 200, np.uint8), (50, 64), 30, (20, 60, 150), -1)
cv2.rectangle(PICTURE, (100, 30), (140, 100), (180, 30, 30), -1)


def patches() -> Superpixels:
    return superpixels(PICTURE, 150)


def test_each_object_is_among_the_candidates() -> None:
    cut = patches()
    groups = candidates(cut, foreground(cut), 0.01, 0.7)
    for color in ((20, 60, 150), (180, 30, 30)):
        truth = cv2.inRange(PICTURE, color, color) > 0
        shown = groups[:, cut.labels]
        overlap = (shown & truth).sum(axis=(1, 2)) / (shown | truth).sum(axis=(1, 2))
        assert overlap.max() > 0.9


def test_candidates_differ_and_keep_the_limits() -> None:
    cut = patches()
    groups = candidates(cut, foreground(cut), 0.02, 0.3)
    shares = groups @ cut.areas / cut.areas.sum()
    assert len(np.unique(groups, axis=0)) == len(groups) > 10
    assert 0.02 <= shares.min() <= shares.max() <= 0.3


def test_limits_that_nothing_meets_leave_none() -> None:
    cut = patches()
    assert candidates(cut, foreground(cut), 0.998, 0.999).shape == (0, len(cut.areas))


def test_growing_adds_the_neighbours_only() -> None:
    cut = patches()
    i, j = cut.pairs[0]
    single = np.zeros((1, len(cut.areas)), dtype=bool)
    single[0, i] = True
    neighbours = cut.pairs[(cut.pairs == i).any(axis=1)]
    assert j in neighbours
    assert set(np.flatnonzero(grown(cut, single)[0])) == set(neighbours.ravel().tolist())
