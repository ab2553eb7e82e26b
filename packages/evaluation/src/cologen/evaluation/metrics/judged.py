"""A judge's scores of one case to one number.

    GEdit-Bench    SC = min of its scores, PQ = min of its scores, O = √(SC · PQ), each in [0, 10]
    ImgEdit-Bench  the mean of three scores, in [1, 5]

The scores' places are ``judgement``'s. Sources: VIEScore (Ku et al., 2024), as Step1X-Edit's scripts use it; ImgEdit
(Ye et al., 2025).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from cologen.evaluation.judgement import GEDIT_PQ, GEDIT_SC

Scores = Float[np.ndarray, "scores"]


def semantic_consistency(scores: Scores) -> float:
    """SC: the smaller score of following the instruction and of keeping the rest."""
    return float(scores[GEDIT_SC].min())


def perceptual_quality(scores: Scores) -> float:
    """PQ: the smaller score of naturalness and of freedom from artefacts."""
    return float(scores[GEDIT_PQ].min())


def overall(scores: Scores) -> float:
    """O of one sample: (9, 4, 7, 8) has SC 4, PQ 7 and O 5.29."""
    return math.sqrt(semantic_consistency(scores) * perceptual_quality(scores))


def mean_score(scores: Scores) -> float:
    """The plain mean of all scores."""
    return float(scores.mean(dtype=np.float64))


def score_at(scores: Scores, *, place: int) -> float:
    """One of the scores."""
    return float(scores[place])
