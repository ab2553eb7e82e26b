"""Fréchet distance between two sets of features, gathered one picture at a time.

    d² = |m₁ - m₂|² + Tr C₁ + Tr C₂ - 2 Tr √(C₁ C₂)

Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017). clean-fid takes the root with scipy's
``sqrtm``, which loses about half of the digits where a covariance is singular (fewer pictures than features). Here
C = A Aᵀ, and Tr √(C₁ C₂) is the sum of the singular values of A₁ᵀ A₂, which no root of a small number enters.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from cologen.evaluation.metric import Statistic, WithheldError

BLOCK = 256
"""Pictures whose features are merged at once: a matrix product in place of as many outer products."""


class Moments:
    """Mean and covariance of features that come one after another, in float64.

    Blocks are merged by their own means (Chan, Golub and LeVeque, 1983), so that no large numbers are subtracted.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._scatter = np.zeros(())
        self._waiting: list[Float[np.ndarray, "dim"]] = []

    def add(self, features: Float[np.ndarray, "dim"]) -> None:
        """Take in one picture's features."""
        self._waiting.append(features)
        if len(self._waiting) == BLOCK:
            self._merge()

    def mean(self) -> Float[np.ndarray, "dim"]:
        """Of all features so far."""
        self._merge()
        return self._mean

    def covariance(self) -> Float[np.ndarray, "dim dim"]:
        """With the divisor n - 1, as ``numpy.cov``.

        Raises:
            WithheldError: fewer than two features.
        """
        self._merge()
        if self.count < 2:
            raise WithheldError(f"a covariance needs two pictures or more, there are {self.count}")
        return self._scatter / (self.count - 1)

    def _merge(self) -> None:
        if not self._waiting:
            return
        block = np.stack(self._waiting).astype(np.float64)
        self._waiting.clear()
        mean, size = block.mean(axis=0), len(block)
        away, step = block - mean, mean - self._mean
        total = self.count + size
        self._scatter = self._scatter + away.T @ away + np.outer(step, step) * (self.count * size / total)
        self._mean = self._mean + step * (size / total)
        self.count = total


def frechet_distance(first: Moments, second: Moments) -> float:
    """d² between two sets, 0 or more; 0 for equal sets up to rounding.

    Raises:
        WithheldError: a set has fewer than two features.
    """
    one, other = first.covariance(), second.covariance()
    step = first.mean() - second.mean()
    distance = step @ step + np.trace(one) + np.trace(other) - 2 * trace_of_root(one, other)
    return max(float(distance), 0.0)


def trace_of_root(first: Float[np.ndarray, "dim dim"], second: Float[np.ndarray, "dim dim"]) -> float:
    """Tr √(first · second) of two covariances: the sum of the singular values of A₁ᵀ A₂."""
    return float(np.linalg.svd(_factor(first).T @ _factor(second), compute_uv=False).sum())


def fid_of(statistics: Iterable[Statistic]) -> float:
    """The distance between features ``output`` and ``target``, read once and one at a time.

    Raises:
        WithheldError: fewer than two pictures.
    """
    outputs, targets = Moments(), Moments()
    for each in statistics:
        outputs.add(each["output"])
        targets.add(each["target"])
    return frechet_distance(outputs, targets)


def _factor(covariance: Float[np.ndarray, "dim dim"]) -> Float[np.ndarray, "dim rank"]:
    """A with A Aᵀ = covariance; directions without variance, up to rounding, are left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])
