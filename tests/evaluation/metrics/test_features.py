"""Cosines: by hand, their range, and what has no direction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cologen.evaluation.metrics.features import cosine, mean_cosine
from cologen.evaluation.records import ScoreError

FEATURES = arrays(np.float32, 8, elements=st.floats(-100, 100, width=32, allow_subnormal=False))


def feature(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_by_hand() -> None:
    assert cosine(feature(3, 4), feature(4, 3)) == pytest.approx(0.96, abs=1e-15)
    assert cosine(feature(1, 0), feature(0, 5)) == 0
    assert cosine(feature(1, 2), feature(-2, -4)) == pytest.approx(-1, abs=1e-15)


def test_the_mean_is_over_rows() -> None:
    assert mean_cosine(feature(1, 0), np.stack([feature(1, 0), feature(0, 1)])) == 0.5
    assert mean_cosine(feature(1, 0), feature(3, 0)) == 1


@pytest.mark.parametrize("bad", [(0.0, 0.0), (np.nan, 1.0), (np.inf, 1.0)])
def test_what_has_no_direction_is_not_scored(bad: tuple[float, float]) -> None:
    with pytest.raises(ScoreError, match="not_finite"):
        cosine(feature(1, 0), feature(*bad))


@given(first=FEATURES, second=FEATURES, scale=st.floats(0.5, 16))
def test_laws(first: np.ndarray, second: np.ndarray, scale: float) -> None:
    if min(abs(first).max(), abs(second).max()) < 1e-3:
        return
    value = cosine(first, second)
    assert -1 <= value <= 1
    assert value == cosine(second, first)
    assert cosine(np.float32(scale) * first, second) == pytest.approx(value, abs=1e-5)
    assert cosine(first, first) == pytest.approx(1, abs=1e-12)
