"""A judge's scores to GEdit-Bench's and ImgEdit-Bench's numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.evaluation.metrics.judged import (
    mean_score,
    overall,
    perceptual_quality,
    score_at,
    semantic_consistency,
)

SCORE = st.integers(0, 10)


def test_by_hand() -> None:
    scores = np.array([9.0, 4.0, 7.0, 8.0], dtype=np.float32)
    assert semantic_consistency(scores) == 4
    assert perceptual_quality(scores) == 7
    assert overall(scores) == pytest.approx(28**0.5, abs=1e-12)
    assert mean_score(np.array([5.0, 4.0, 3.0])) == 4
    assert score_at(scores, place=2) == 7


@given(st.tuples(SCORE, SCORE, SCORE, SCORE))
def test_overall_is_between_its_parts(scores: tuple[int, int, int, int]) -> None:
    array = np.array(scores, dtype=np.float64)
    parts = sorted((semantic_consistency(array), perceptual_quality(array)))
    assert parts[0] - 1e-12 <= overall(array) <= parts[1] + 1e-12
    assert (overall(array) == 0) == (min(scores) == 0)
