"""Masks traced into COCO polygons, which know no holes."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from cologen.datagen.rle import Mask

_OVERSAMPLING = 4

_TOLERANCE = 0.4
"""How far a polygon may pass from the outline of the pixels: below half a pixel, so that each keeps its side."""


def polygons(mask: Mask) -> list[list[float]]:
    """Polygons ``[x0, y0, x1, y1, …]`` in pixels, whose union pycocotools draws as exactly this mask.

    Each connected piece is one polygon. A piece with a hole is cut through the hole, so that a ring becomes two
    halves: a polygon around both edges of the ring would fill it. An empty mask has no polygons.
    """
    x, y, width, height = cv2.boundingRect(mask)
    piece = mask[y : y + height, x : x + width]
    if piece.size == 0:
        return []
    # OpenCV follows the centres of border pixels; on enlarged pixels these are almost on the true outline.
    fine = cv2.resize(piece, None, fx=_OVERSAMPLING, fy=_OVERSAMPLING, interpolation=cv2.INTER_NEAREST)
    return [_in_pixels(contour, x, y) for contour in _without_holes(fine)]


def _without_holes(mask: np.ndarray) -> Iterator[np.ndarray]:
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    holes = [contour for contour, (*_, parent) in zip(contours, hierarchy[0], strict=True) if parent >= 0]
    if not holes:
        yield from contours
        return
    x, _, width, _ = cv2.boundingRect(max(holes, key=len))
    middle = (x + width // 2) // _OVERSAMPLING * _OVERSAMPLING
    for half in (slice(0, middle), slice(middle, None)):
        yield from _without_holes(_only_columns(mask, half))


def _only_columns(mask: np.ndarray, columns: slice) -> np.ndarray:
    part = np.zeros_like(mask)
    part[:, columns] = mask[:, columns]
    return part


def _in_pixels(contour: np.ndarray, x: int, y: int) -> list[float]:
    corners = cv2.approxPolyDP(contour, _TOLERANCE * _OVERSAMPLING, closed=True)
    inside = (corners.reshape(-1, 2) + 0.5) / _OVERSAMPLING + (x, y)
    return [float(coordinate) for coordinate in inside.ravel()]
