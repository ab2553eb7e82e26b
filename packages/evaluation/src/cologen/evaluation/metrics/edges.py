"""Canny edges and their F1 under ControlNet++'s protocol.

    true positives, false positives, false negatives of each output, summed over the outputs of an item
    F1 = 2 TP / (2 TP + FP + FN), then the mean over items

The detector is kornia's with thresholds 0.1 and 0.2 on values in [0, 1]. kornia 0.9 decides ties between equal
neighbours as OpenCV does; versions before it could lose such pixels, so that edges of flat colours differ slightly.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool
from PIL import Image

from cologen.evaluation.metric import Statistic
from cologen.evaluation.metrics.pixels import size_of
from cologen.evaluation.records import ConditionMap, Picture

LOW, HIGH = 0.1, 0.2
"""Magnitudes of the gradient: above HIGH an edge begins, down to LOW it goes on."""
WHITE = 128
"""The least grey level of a map that is an edge."""

EdgeMap = Bool[np.ndarray, "height width"]


def canny_edges(picture: Picture) -> EdgeMap:
    """Where a picture has edges.

    kornia's last step, in which edges go on through faint pixels, is one pass of convolutions for each pixel of the
    longest line: seconds for 512 x 512. Whole connected pieces with an edge in them are the same map.
    """
    import torch
    from kornia.filters import canny

    image = torch.from_numpy(np.moveaxis(picture, -1, 0)[None].astype(np.float32) / 255)
    with torch.inference_mode():
        levels = canny(image, LOW, HIGH, hysteresis=False)[1][0, 0].numpy()  # 0, faint 0.5, edge 1
    _, labels = cv2.connectedComponents((levels > 0).astype(np.uint8), connectivity=8)
    pieces = labels.astype(np.int32, copy=False)
    return np.isin(pieces, np.unique(pieces[levels == 1]))


def edges_of_map(condition: ConditionMap, size: tuple[int, int]) -> EdgeMap:
    """Where a control map of white edges on black has them, scaled to ``size`` (width, height), nearest."""
    if size_of(condition) != size:
        condition = np.asarray(Image.fromarray(condition).resize(size, Image.Resampling.NEAREST))
    return condition >= WHITE


def edge_counts(found: EdgeMap, expected: EdgeMap) -> Statistic:
    """Pixels: ``true_positives``, ``false_positives`` and ``false_negatives``, each an array of one number."""
    counts = {
        "true_positives": found & expected,
        "false_positives": found & ~expected,
        "false_negatives": ~found & expected,
    }
    return {name: np.array([pixels.sum()], dtype=np.int64) for name, pixels in counts.items()}


def pooled_f1(counts: Sequence[Statistic]) -> float:
    """F1 in [0, 1] of the summed counts; 1 where neither side has an edge.

    TP 3, FP 1, FN 2 give 6 / 9 = 0.667.
    """
    names = "true_positives", "false_positives", "false_negatives"
    right, wrong, missed = (sum(int(each[name].sum()) for each in counts) for name in names)
    everything = 2 * right + wrong + missed
    return 2 * right / everything if everything else 1.0
