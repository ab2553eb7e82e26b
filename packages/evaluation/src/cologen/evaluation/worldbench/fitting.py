"""Which shape, where, how large and how turned explains a segment best: silhouettes compared with the evidence.

    fit = Σ T · all / (Σ T² · care + Σ own² − Σ T · own)

a soft intersection over union, its squares so that equal maps have 1. ``T`` is a silhouette's coverage, ``all`` the
probability of the segment's colour, ``own`` the same within the segment, and ``care`` 1 where a missing colour speaks
against the silhouette: where another object may hide it, it hardly does. A coarse search lays all templates of a level
over the segment; then the best few shapes are moved, turned and scaled by Gauss-Newton steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64

from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.evaluation.worldbench.templates import RADIUS, ROUND, SIDE, silhouette, templates

HIDDEN_CARE = 0.08
"""How much a pixel of a silhouette counts that another object may hide."""
_GOOD = 0.965
"""A fit above which no other object need be thought to hide a part."""
_RIVALS, _RIVAL_GAP = 3, 0.06
"""How many shapes are refined at most, and how far behind the best coarse fit."""
_SCALE_STEP = 1.12
_REFINING_STEPS = 2
_TRUSTED = 0.25
"""How far one step goes at most: radii, logarithm of the radius, radians."""
_LARGER, _LARGER_HIDDEN = 1.5, 2.1
"""A radius as a multiple of half the longer side of the segment's box, at most."""
_AROUND, _AROUND_HIDDEN = 1, 3
"""How far the middle may be from that of the segment's box, in template pixels."""

Map = Float32[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True)
class Maps:
    """The evidence for one segment, in one order of channels: ``all``, ``own`` and ``care``, as above."""

    channels: Float32[np.ndarray, "height width 3"]
    box: tuple[int, int, int, int]
    """Of the segment, xywh."""
    touched: bool
    """Whether another segment is beside it."""
    own_total: float
    """The sum of the squares of ``own``."""

    @classmethod
    def of(
        cls,
        color: Map,
        pixels: Bool[np.ndarray, "height width"],
        others: Bool[np.ndarray, "height width"],
    ) -> Maps:
        """From the probability of the segment's colour, its pixels and those of other objects."""
        mask = pixels.astype(np.uint8)
        near = cv2.dilate(mask, np.ones((3, 3), dtype=np.uint8))
        care = np.where(others, np.float32(HIDDEN_CARE), np.float32(1))
        free = np.where(others, np.float32(0), color)
        left, top, width, height = cv2.boundingRect(mask)
        beside = others[max(top - 2, 0) : top + height + 2, max(left - 2, 0) : left + width + 2]
        at_edge = left == 0 or top == 0 or left + width == mask.shape[1] or top + height == mask.shape[0]
        channels = np.stack([free, free * near, care], axis=-1).astype(np.float32)
        own_total = float(np.square(channels[..., 1]).sum())
        return cls(channels, (left, top, width, height), bool(beside.any()) or at_edge, own_total)


@dataclass(frozen=True, slots=True)
class Fit:
    """A shape at a middle and with a radius in pixels, turned by degrees, and how well it fits, in [0, 1].

    ``lead`` is how much better it is than the best of another shape, as far as others were refined.
    """

    shape: str
    x: float
    y: float
    radius: float
    angle: float
    value: float
    lead: float = 0.0


def best_fit(maps: Maps, level: LevelName) -> Fit:
    """The best fit of all shapes of the level."""
    best = _best_rival(maps, _coarse(maps, level, hidden=False), level)
    if maps.touched and best.value < _GOOD:
        best = max(best, _best_rival(maps, _coarse(maps, level, hidden=True), level), key=lambda fit: fit.value)
    return best


def _best_rival(maps: Maps, found: list[Fit], level: LevelName) -> Fit:
    """The best of the first few, refined."""
    bounds = _bounds(maps, level)
    rivals = [fit for fit in found[:_RIVALS] if fit.value >= found[0].value - _RIVAL_GAP]
    best, *others = sorted((_refined(maps, fit, bounds) for fit in rivals), key=lambda fit: -fit.value)
    return replace(best, lead=best.value - others[0].value if others else _RIVAL_GAP)


def _coarse(maps: Maps, level: LevelName, *, hidden: bool) -> list[Fit]:
    """The best template of each shape, the best shape first."""
    bank, radii = templates(level), _radii(maps, level, hidden=hidden)
    around = _AROUND_HIDDEN if hidden else _AROUND
    views = np.stack([_views(maps, radius, around) for radius in radii])
    places = 2 * around + 1
    flat_views = views.reshape(-1, 3, SIDE * SIDE)
    both, own = flat_views[:, 0] @ bank.coverage, flat_views[:, 1] @ bank.coverage
    cared = flat_views[:, 2] @ bank.squared
    # Template pixels are larger than the picture's for large radii, and the segment's own sum with them.
    total = [maps.own_total * (RADIUS / radius) ** 2 for radius in radii]
    flat = both / (cared + np.repeat(np.array(total, dtype=np.float32), places * places)[:, None] - own)
    places_of_best = flat.argmax(axis=0)
    left, top, width, height = maps.box
    found: dict[str, Fit] = {}
    for i in np.argsort(-flat.max(axis=0)).tolist():
        if bank.shapes[i] in found:
            continue
        scale, place = divmod(int(places_of_best[i]), places * places)
        down, right = divmod(place, places)
        step = radii[scale] / RADIUS
        x, y = left + width / 2 + (right - around) * step, top + height / 2 + (down - around) * step
        found[bank.shapes[i]] = Fit(
            bank.shapes[i], x, y, radii[scale], bank.angles[i], float(flat[places_of_best[i], i])
        )
    return list(found.values())


def _radii(maps: Maps, level: LevelName, *, hidden: bool) -> list[float]:
    """Pixels: from half the segment's box up, as far as the level's objects are of that size."""
    smallest, largest = _bounds(maps, level)
    least = 0.95 * max(maps.box[2:]) / 2
    most = least * (_LARGER_HIDDEN if hidden else _LARGER)
    steps = np.exp(np.arange(np.log(least), np.log(most), np.log(_SCALE_STEP)))
    return [float(radius) for radius in steps if smallest <= radius <= largest] or [
        float(np.clip(least, smallest, largest))
    ]


def _bounds(maps: Maps, level: LevelName) -> tuple[float, float]:
    """The least and the largest radius of the level's objects in pixels, with some slack."""
    sizes, side = LEVELS[level].sizes.values(), min(maps.channels.shape[:2])
    return 0.85 * min(sizes) * side, 1.15 * max(sizes) * side


def _views(maps: Maps, radius: float, around: int) -> Float32[np.ndarray, "places 3 pixels"]:
    """The maps around each middle, shrunk so that the radius is that of the templates."""
    left, top, width, height = maps.box
    side, step = SIDE + 2 * around, radius / RADIUS
    x, y = left + width / 2 - 0.5 - (side - 1) / 2 * step, top + height / 2 - 0.5 - (side - 1) / 2 * step
    to_picture = np.array([[step, 0, x], [0, step, y]])
    blurred = cv2.GaussianBlur(maps.channels, (5, 5), 0.35 * step) if step > 1.2 else maps.channels
    canvas = cv2.warpAffine(
        blurred,
        to_picture,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderValue=(0, 0, HIDDEN_CARE),
    ).astype(np.float32, copy=False)
    windows = np.lib.stride_tricks.sliding_window_view(canvas, (SIDE, SIDE), axis=(0, 1))
    return windows.reshape(-1, 3, SIDE * SIDE)


def _refined(maps: Maps, fit: Fit, radii: tuple[float, float]) -> Fit:
    """The best of a few Gauss-Newton steps of the middle, the radius and the turn."""
    window = _Window.around(maps, fit)
    covered = window.covered(fit)
    best = replace(fit, value=window.value(covered))
    for _ in range(_REFINING_STEPS):
        fit = _moved(fit, window.step(fit, covered), radii)
        covered = window.covered(fit)
        value = window.value(covered)
        if value > best.value:
            best = replace(fit, value=value)
    return best


def _moved(fit: Fit, step: Float64[np.ndarray, " 4"], radii: tuple[float, float]) -> Fit:
    """By pixels right and down, the logarithm of the radius and radians, each no further than a step is trusted."""
    right, down, log_radius, turn = np.clip(step, -_TRUSTED, _TRUSTED).tolist()
    radius = min(max(fit.radius * math.exp(log_radius), radii[0]), radii[1])
    turned = 0.0 if fit.shape in ROUND else math.degrees(turn)
    return replace(
        fit, x=fit.x + right * fit.radius, y=fit.y + down * fit.radius, radius=radius, angle=fit.angle + turned
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """A square of the maps around a fit, in which it is moved."""

    channels: Float32[np.ndarray, "side side 3"]
    own: float
    x0: int
    y0: int

    @classmethod
    def around(cls, maps: Maps, fit: Fit) -> _Window:
        """Large enough for the fit and its moves; beyond the picture nothing is seen."""
        reach = 1.3 * fit.radius + 2
        x0, y0, side = math.floor(fit.x - reach), math.floor(fit.y - reach), math.ceil(2 * reach) + 1
        shift = np.array([[1.0, 0, x0], [0, 1.0, y0]])
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        square = cv2.warpAffine(maps.channels, shift, (side, side), flags=flags, borderValue=(0, 0, HIDDEN_CARE))
        return cls(square.astype(np.float32, copy=False), maps.own_total, x0, y0)

    def covered(self, fit: Fit) -> Map:
        """The fit's silhouette in the window."""
        return silhouette(fit.shape, fit.x - self.x0, fit.y - self.y0, fit.radius, fit.angle, len(self.channels))

    def value(self, covered: Map) -> float:
        """How well a silhouette fits."""
        seen, own, care = self.channels[..., 0], self.channels[..., 1], self.channels[..., 2]
        return _dot(covered, seen) / (_dot(covered * care, covered) + self.own - _dot(covered, own))

    def step(self, fit: Fit, covered: Map) -> Float64[np.ndarray, " 4"]:
        """The step in (x, y, log radius, turn) that would make the fit's silhouette what is seen; middles in radii.

        Each number moves the silhouette's points along a field; its coverage changes by that field times the negative
        gradient.
        """
        side = len(self.channels)
        seen, own, care = self.channels[..., 0], self.channels[..., 1], self.channels[..., 2]
        fields = np.zeros((4, side, side), dtype=np.float32)
        along, down, outward, around = fields
        # Central differences; the silhouette does not reach the window's rim.
        np.subtract(covered[:, 2:], covered[:, :-2], out=along[:, 1:-1])
        np.subtract(covered[2:], covered[:-2], out=down[1:-1])
        x = np.arange(side, dtype=np.float32) + np.float32(self.x0 + 0.5 - fit.x)
        y = (np.arange(side, dtype=np.float32) + np.float32(self.y0 + 0.5 - fit.y))[:, None]
        outward += along * x + down * y
        around += down * x - along * y
        fields[:2] *= np.float32(fit.radius)
        slopes = fields.reshape(4, -1) * np.float32(-0.5)
        missing = ((np.where(covered < 0.5, own, seen) - covered) * care).ravel()
        normal = (slopes * care.ravel()) @ slopes.T
        damping = 0.01 * np.trace(normal) * np.eye(4, dtype=np.float32)
        return np.linalg.solve(normal + damping, slopes @ missing).astype(np.float64)


def _dot(a: Map, b: Map) -> float:
    return float(np.vdot(a, b))
