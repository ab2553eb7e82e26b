"""A rough guess becomes exact, keeps off other objects, and stays what it was where there is nothing to cut."""

import cv2
import numpy as np

from cologen.datagen.concepts.grabcut import refined
from cologen.datagen.randomness import generator
from cologen.datagen.rle import Mask

EMPTY = np.zeros((160, 200), np.uint8)
TRUTH = cv2.circle(EMPTY.copy(), (90, 80), 40, (1,), -1)
_COLORS = np.where(TRUTH[..., None] > 0, np.array([180, 60, 40]), np.array([90, 130, 90]))
PICTURE = np.clip(_COLORS + generator(4, "grain").normal(0, 12, size=_COLORS.shape), 0, 255).astype(np.uint8)
ROUGH = np.asarray(cv2.rectangle(EMPTY.copy(), (54, 44), (126, 116), (1,), -1), dtype=np.uint8)


def iou(a: Mask, b: Mask) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_a_rough_guess_becomes_exact() -> None:
    assert iou(ROUGH, TRUTH) < 0.85
    assert iou(refined(PICTURE, ROUGH, EMPTY), TRUTH) > 0.95


def test_pixels_of_others_are_left_alone() -> None:
    taken = EMPTY.copy()
    taken[:, 100:] = 1
    guess = ROUGH & ~taken
    assert not (refined(PICTURE, guess, taken & ~guess) & taken).any()


def test_the_guess_stays_where_nothing_can_be_cut() -> None:
    for guess in (EMPTY, np.ones_like(EMPTY)):
        np.testing.assert_array_equal(refined(PICTURE, guess, EMPTY), guess)


def test_the_same_input_gives_the_same_mask() -> None:
    first = refined(PICTURE, ROUGH, EMPTY)
    cv2.setRNGSeed(99)
    np.testing.assert_array_equal(refined(PICTURE, ROUGH, EMPTY), first)
