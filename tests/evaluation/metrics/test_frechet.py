"""Fréchet distance: known values, clean-fid's own formula, scipy's root, and sets that come one at a time."""

import numpy as np
import pytest
from cleanfid.fid import frechet_distance as clean_fid
from scipy.linalg import sqrtm

from cologen.evaluation.metric import WithheldError
from cologen.evaluation.metrics.frechet import BLOCK, Moments, fid_of, frechet_distance, trace_of_root


def moments(features: np.ndarray) -> Moments:
    found = Moments()
    for each in features:
        found.add(each)
    return found


def drawn(count: int, dim: int, *, seed: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, dim)) @ rng.normal(size=(dim, dim)) + shift).astype(np.float32)


def test_mean_and_covariance_are_numpy_s_whatever_the_blocks() -> None:
    features = drawn(2 * BLOCK + 37, 6, seed=0, shift=1000.0)
    found = moments(features)
    assert np.allclose(found.mean(), features.astype(np.float64).mean(0), rtol=1e-13)
    assert np.allclose(found.covariance(), np.cov(features.T.astype(np.float64)), rtol=1e-10, atol=1e-10)
    half = moments(features[:100])
    half.mean()  # reading in between changes nothing but the blocks
    for each in features[100:]:
        half.add(each)
    assert np.allclose(half.covariance(), found.covariance(), rtol=1e-12)


def test_gaussians_of_known_distance() -> None:
    """One dimension: (m₁ - m₂)² + (s₁ - s₂)². Values ±s about m have the standard deviation s·√2 with n - 1."""
    first, second = np.array([[1.0], [3.0]]), np.array([[4.0], [10.0]])  # s = √2 and 3·√2, m = 2 and 7
    assert frechet_distance(moments(first), moments(second)) == pytest.approx(25 + 8, abs=1e-12)


@pytest.mark.filterwarnings("ignore:The `disp` argument is deprecated")
@pytest.mark.parametrize("count", [400, 60])
def test_it_is_clean_fid_s(count: int) -> None:
    first, second = drawn(count, 24, seed=1), drawn(count, 24, seed=2, shift=0.5)
    statistics = [(each.mean(0), np.cov(each, rowvar=False)) for each in (first.astype(float), second.astype(float))]
    expected = clean_fid(*statistics[0], *statistics[1])
    assert frechet_distance(moments(first), moments(second)) == pytest.approx(expected, rel=1e-9)


def test_the_root_is_scipy_s() -> None:
    one, other = (np.cov(drawn(90, 12, seed=seed).T.astype(float)) for seed in (3, 4))
    assert trace_of_root(one, other) == pytest.approx(np.trace(sqrtm(one @ other)).real, rel=1e-10)


def test_fewer_pictures_than_features_lose_no_digits() -> None:
    """Rank 9 in 64 dimensions: the root's trace is also that of the 9 x 9 product, where nothing is singular."""
    first, second = drawn(10, 64, seed=5).astype(float), drawn(10, 64, seed=6).astype(float)
    centred = [(each - each.mean(0)) / 3 for each in (first, second)]
    expected = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    one, other = (each.T @ each for each in centred)
    assert trace_of_root(one, other) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("count", "dim"), [(300, 8), (5, 32), (2, 4)])
def test_equal_sets_have_none_in_any_order(count: int, dim: int) -> None:
    features = drawn(count, dim, seed=7)
    scale = float(np.trace(moments(features).covariance()))
    assert frechet_distance(moments(features), moments(features[::-1])) == pytest.approx(0, abs=1e-12 * scale)


def test_it_is_symmetric_and_grows_with_a_shift() -> None:
    first, second = drawn(50, 8, seed=8), drawn(50, 8, seed=9)
    forth, back = frechet_distance(moments(first), moments(second)), frechet_distance(moments(second), moments(first))
    assert forth == pytest.approx(back, rel=1e-10)
    shifted = frechet_distance(moments(first), moments(first + np.float32(2)))
    assert shifted == pytest.approx(8 * 4, rel=1e-5)


def test_constant_features_have_only_their_shift() -> None:
    same = np.ones((5, 3), dtype=np.float32)
    assert frechet_distance(moments(same), moments(3 * same)) == pytest.approx(12, abs=1e-12)


def test_fewer_than_two_pictures_are_withheld() -> None:
    one = [{"output": np.ones(4, dtype=np.float32), "target": np.ones(4, dtype=np.float32)}]
    for statistics in ([], one):
        with pytest.raises(WithheldError, match="two pictures or more"):
            fid_of(statistics)
    assert fid_of(iter(one * 2)) == 0
