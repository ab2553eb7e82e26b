"""How much a group of patches looks like one whole object: a few measures of it, its surroundings and its outline."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from cologen.datagen.concepts.candidates import Groups, grown
from cologen.datagen.concepts.superpixels import Superpixels

_RING_PATCHES = 2
"""How far a group's surroundings reach."""
_USUAL_SPREAD = 3.0
"""CIELAB units, about the noise of an even surface: keeps the separation of two even surfaces finite."""

_FAINT_STEP = 8.0
"""CIELAB units across the outline, in the mean; a fainter outline, as between two parts of a gradient, is no object's
border."""

# What each measure adds to the log odds that a group covers an object with an IoU of about 0.6 or more: a logistic
# regression over the candidates of 150 scenes of the synthetic dataset, 100 COCO photographs (instances of more than 1%
# of the picture) and ten photographs of one or two subjects, each of these counting twentyfold.
_BIAS = -0.83
_LOG_SHARE = 0.87
_ISOLATION = 2.67
_RING_CONTRAST = -0.033
_PALETTE_DISTANCE = 2.95
_RING_SPREAD = 0.56
_SEPARATION = 1.62
_RIM_SHARE = -5.27
_RAGGEDNESS = -1.52
_BUSYNESS = 0.50

_PerGroup = Float64[np.ndarray, "groups"]


def objectness(
    patches: Superpixels,
    foreground: Float64[np.ndarray, "patches"],
    contrast: Float64[np.ndarray, "patches"],
    groups: Groups,
) -> _PerGroup:
    """A score in [0, 1) for each group: 0 where there is hardly an outline."""
    inside, ring = _Zones(patches, groups), _Zones(patches, _rings(patches, groups))
    i, j = patches.pairs.T
    outline, outline_step = _border(patches, groups[:, i] != groups[:, j])
    _, step_within = _border(patches, groups[:, i] & groups[:, j])
    rim = groups.astype(np.float64) @ patches.rims
    odds = (
        _BIAS
        + _LOG_SHARE * np.log(inside.areas / patches.areas.sum())
        + _ISOLATION * inside.mean(foreground) * (1 - ring.mean(foreground))
        + _RING_CONTRAST * ring.mean(contrast)
        + _PALETTE_DISTANCE * (1 - np.sqrt(inside.palettes * ring.palettes).sum(axis=1))
        + _RING_SPREAD * np.log1p(ring.spreads)
        + _SEPARATION * _separation(inside, ring)
        + _RIM_SHARE * rim / (outline + rim)
        + _RAGGEDNESS * np.log((outline + rim) / np.sqrt(inside.areas))
        + _BUSYNESS * np.log((step_within + 1) / (outline_step + 1))
    )
    return np.where(outline_step < _FAINT_STEP, 0, 1 / (1 + np.exp(-odds)))


class _Zones:
    """Areas and colours of groups of patches; all sums are over whole multiples, so exact in any order."""

    def __init__(self, patches: Superpixels, groups: Groups) -> None:
        self._members = groups.astype(np.float64)
        self._patch_areas = patches.areas
        self.areas = np.maximum(self._members @ patches.areas, 1)
        """Pixels."""
        self.palettes = (self._members @ patches.histograms) / self.areas[:, None]
        colors = np.rint(patches.colors * 16) / 16
        self.colors = np.stack([self.mean(channel) for channel in colors.T], axis=1)
        """Mean CIELAB."""
        squares = self.mean((colors**2).sum(axis=1))
        self.spreads = np.sqrt(np.maximum(squares - (self.colors**2).sum(axis=1), 0))
        """Standard deviation of the patches' CIELAB."""

    def mean(self, values: Float64[np.ndarray, "patches"]) -> _PerGroup:
        return self._members @ (values * self._patch_areas) / self.areas


def _rings(patches: Superpixels, groups: Groups) -> Groups:
    rings = groups
    for _ in range(_RING_PATCHES):
        rings = grown(patches, rings)
    return rings & ~groups


def _separation(inside: _Zones, ring: _Zones) -> _PerGroup:
    """The distance of the mean colours, measured by the spread of both (log of one plus Fisher's ratio)."""
    apart = np.sqrt(((inside.colors - ring.colors) ** 2).sum(axis=1))
    return np.log1p(apart / (inside.spreads + ring.spreads + _USUAL_SPREAD))


def _border(patches: Superpixels, pairs: Bool[np.ndarray, "groups pairs"]) -> tuple[_PerGroup, _PerGroup]:
    """The length of the borders between these pairs of patches in pixels, and the mean CIELAB step across them."""
    members = pairs.astype(np.float64)
    lengths = members @ patches.lengths
    return lengths, members @ patches.steps / np.maximum(lengths, 1)
