"""The probability that a patch is background, from how much its colour touches the picture's border.

Boundary connectivity and background-weighted contrast, after Zhu, Liang, Wei and Sun, "Saliency Optimization from
Robust Background Detection" (CVPR 2014), equations 1 to 7. Objects touch the picture's border little for their size;
background touches it much.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from cologen.datagen.concepts.superpixels import Superpixels

_COLOR_REACH = 7.0
"""CIELAB units; the distance up to which two patches count as one surface (sigma_clr; the paper takes 10)."""
_CONNECTIVITY_SCALE = 1.0
_PLACE_REACH = 0.4
"""Parts of the long side within which contrast counts (sigma_spa)."""
_LEVELS = 256
"""Both results are rounded to this, so that sums over them are exact (see ``superpixels``)."""


def foreground(patches: Superpixels) -> Float64[np.ndarray, "patches"]:
    """The opposite of the background probability, in [0, 1] (equations 2 to 5)."""
    rim = patches.rims > 0
    nearness = np.exp(-(_surface_distances(patches) ** 2) / (2 * _COLOR_REACH**2))
    connectivity = nearness[:, rim].sum(axis=1) / np.sqrt(nearness.sum(axis=1))
    return _rounded(np.exp(-(connectivity**2) / (2 * _CONNECTIVITY_SCALE**2)))


def contrast(patches: Superpixels, foreground: Float64[np.ndarray, "patches"]) -> Float64[np.ndarray, "patches"]:
    """The mean CIELAB distance to the background, near patches counting more (equation 6, made a mean)."""
    apart = _distances(patches.centers)
    weights = np.exp(-(apart**2) / (2 * _PLACE_REACH**2)) * (1 - foreground)
    return _rounded((_distances(patches.colors) * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-6))


def _surface_distances(patches: Superpixels) -> Float64[np.ndarray, "patches patches"]:
    """The smallest sum of colour steps along a path between any two patches; patches at the border count as
    neighbours."""
    colors = _distances(patches.colors)
    i, j = patches.pairs.T
    adjacent = np.zeros(colors.shape, dtype=bool)
    adjacent[i, j] = adjacent[j, i] = True
    # Steps that are usual within a surface cost nothing: otherwise shading adds up over a long way.
    usual = np.where(adjacent, colors, np.inf).min(axis=1).mean()
    rim = patches.rims > 0
    ways = np.where(adjacent | (rim[:, None] & rim), np.maximum(colors - usual, 0), np.inf).astype(np.float32)
    np.fill_diagonal(ways, 0)
    for between in range(len(ways)):
        np.minimum(ways, ways[:, between, None] + ways[between], out=ways)
    return ways.astype(np.float64)


def _distances(points: Float64[np.ndarray, "patches axes"]) -> Float64[np.ndarray, "patches patches"]:
    return np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))


def _rounded(values: Float64[np.ndarray, "patches"]) -> Float64[np.ndarray, "patches"]:
    return np.rint(values * _LEVELS) / _LEVELS
