"""Similarity of features: the cosine that CLIP-I, CLIP-T, CLIP score and DINO share."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from cologen.evaluation.records import ScoreError


def cosine(first: Float[np.ndarray, "dim"], second: Float[np.ndarray, "dim"]) -> float:
    """The cosine of the angle between two features, in [-1, 1], computed in float64.

    (3, 4) and (4, 3) have 24 / 25 = 0.96.

    Raises:
        ScoreError: ``not_finite``: one of them is zero, or not finite.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = float(np.sqrt(a @ a) * np.sqrt(b @ b))
    if not np.isfinite(lengths) or lengths == 0:
        raise ScoreError("not_finite", "features are zero or not finite: they have no direction to compare")
    return float(np.clip(a @ b / lengths, -1, 1))


def mean_cosine(features: Float[np.ndarray, "dim"], others: Float[np.ndarray, "*others dim"]) -> float:
    """The mean of the cosines with one feature or with each row of several; raises as ``cosine``."""
    return float(np.mean([cosine(features, other) for other in np.atleast_2d(others)]))
