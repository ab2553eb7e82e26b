"""Counts hold the asked shares at every prefix, only grow, and know nothing of how far they are from the start."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cologen.trainer.schedule.mixing import Mixing

WEIGHTS = st.one_of(st.floats(0.001, 1000), st.integers(1, 30_000_000).map(float))
STARTS = st.one_of(st.integers(0, 1000), st.integers(0, 2**38))


def prefixes(start: int, length: int = 200) -> np.ndarray:
    return np.arange(start, start + length, dtype=np.int64)


def largest_deviation(mixing: Mixing, start: int) -> float:
    """In exact arithmetic."""
    counts = mixing.counts(prefixes(start)).astype(object)
    places = prefixes(start).astype(object)
    return max(
        float(np.abs(row * share.denominator - places * share.numerator).max() / share.denominator)
        for share, row in zip(mixing.shares, counts, strict=True)
    )


def test_thirds_take_turns():
    assert np.diff(Mixing((1.0, 1.0, 1.0)).counts(prefixes(0, 7))).sum(axis=1).tolist() == [2, 2, 2]


@settings(max_examples=50)
@given(weights=st.lists(WEIGHTS, min_size=1, max_size=4), start=STARTS)
def test_up_to_four_components_are_never_a_sample_off(weights: list[float], start: int):
    mixing = Mixing(tuple(weights))
    assert mixing.max_deviation < 1
    assert largest_deviation(mixing, start) < 1


@settings(max_examples=25)
@given(weights=st.lists(WEIGHTS, min_size=5, max_size=8), start=STARTS)
def test_more_components_keep_within_the_stated_bound(weights: list[float], start: int):
    mixing = Mixing(tuple(weights))
    assert largest_deviation(mixing, start) <= mixing.max_deviation + 1e-9


@settings(max_examples=25)
@given(weights=st.lists(WEIGHTS, min_size=1, max_size=8), start=STARTS)
def test_each_sample_comes_from_exactly_one_source(weights: list[float], start: int):
    steps = np.diff(Mixing(tuple(weights)).counts(prefixes(start)))
    assert ((steps == 0) | (steps == 1)).all()
    assert (steps.sum(axis=0) == 1).all()


@settings(max_examples=25)
@given(weights=st.lists(WEIGHTS, min_size=2, max_size=6), scale=st.sampled_from([2.0, 8.0, 0.5]))
def test_only_the_proportions_of_weights_matter(weights: list[float], scale: float):
    one, other = Mixing(tuple(weights)), Mixing(tuple(weight * scale for weight in weights))
    assert [float(share) for share in one.shares] == pytest.approx([float(share) for share in other.shares], abs=1e-8)


def test_decimals_and_sizes_mean_themselves():
    assert Mixing((0.2, 0.4, 0.4)).shares == (Fraction(1, 5), Fraction(2, 5), Fraction(2, 5))
    assert Mixing((20_000_001.0, 3.0)).shares[1] == Fraction(3, 20_000_004)


def test_a_source_too_small_to_be_told_still_comes():
    assert Mixing((1e12, 1e-3)).shares[1] == Fraction(1, 2**31 - 1)


@pytest.mark.parametrize("weights", [(), (0.0,), (1.0, -1.0), (float("nan"),), (float("inf"), 1.0)])
def test_weights_have_to_be_positive(weights: tuple[float, ...]):
    with pytest.raises(ValueError, match="positive weights"):
        Mixing(weights)
