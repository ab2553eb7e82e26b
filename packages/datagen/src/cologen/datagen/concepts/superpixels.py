"""Superpixels: a picture cut into some hundred patches along its edges, with features of patches and borders.

Counts, areas and steps are whole numbers held in floats: their sums are exact in any order, so that whatever is
decided from them does not depend on how many threads added them up.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from cologen.datagen.images import Picture

_SMALLEST_CELL = 4
"""Pixels; a marker of 3 x 3 fits inside."""
_MEDIAN = 5
_STEP_REACH = 2
"""Pixels to either side of a border at which the colour step across it is measured."""
_STEP_UNIT = 8
"""Steps are rounded to an eighth of a CIELAB unit."""
_BIN_WIDTH, _BINS_LIGHTNESS, _BINS_CHROMA = 10.0, 6, 10


@dataclass(frozen=True, slots=True)
class Superpixels:
    """``labels`` names the patch of each pixel, from 0; neighbouring patches stand in ``pairs`` once, smaller first."""

    labels: Int32[np.ndarray, "height width"]
    areas: Float64[np.ndarray, "patches"]
    """Pixels."""
    colors: Float64[np.ndarray, "patches 3"]
    """Mean CIELAB."""
    centers: Float64[np.ndarray, "patches 2"]
    """Mean y, x over the picture's long side."""
    rims: Float64[np.ndarray, "patches"]
    """Pixels on the picture's own border."""
    histograms: Float64[np.ndarray, "patches bins"]
    """Pixels per colour bin; bins that no pixel falls into are left out."""
    pairs: Int64[np.ndarray, "pairs 2"]
    lengths: Float64[np.ndarray, "pairs"]
    """Pixel sides that the two patches share."""
    steps: Float64[np.ndarray, "pairs"]
    """CIELAB distance across the shared border, summed along it."""


def superpixels(picture: Picture, count: int) -> Superpixels:
    """About ``count`` patches by watershed from a grid of markers, each moved to the smoothest place of its cell."""
    smooth = cv2.medianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), _MEDIAN)
    labels = _flood(smooth, _markers(smooth, count))
    pairs, lengths, steps = _borders(labels, smooth)
    flat, num = labels.ravel(), int(labels.max()) + 1
    areas = np.bincount(flat, minlength=num).astype(np.float64)
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    places = np.moveaxis(np.indices(labels.shape), 0, -1) / max(labels.shape)
    return Superpixels(
        labels=labels,
        areas=areas,
        colors=_sums(flat, lab, num) / areas[:, None],
        centers=_sums(flat, places, num) / areas[:, None],
        rims=np.bincount(_rim(labels), minlength=num).astype(np.float64),
        histograms=_histograms(flat, lab, num),
        pairs=pairs,
        lengths=lengths,
        steps=steps,
    )


def _markers(smooth: Picture, count: int) -> Int32[np.ndarray, "height width"]:
    height, width = smooth.shape[:2]
    cell = max(_SMALLEST_CELL, round((height * width / count) ** 0.5))
    rows, columns, margin = height // cell, width // cell, max(1, cell // 4)
    cells = _roughness(smooth)[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).swapaxes(1, 2)
    inner = cells[:, :, margin : cell - margin, margin : cell - margin]
    y, x = np.divmod(inner.reshape(rows * columns, -1).argmin(axis=1), inner.shape[3])
    row, column = np.divmod(np.arange(rows * columns), columns)
    markers = np.zeros((height, width), dtype=np.int32)
    markers[row * cell + margin + y, column * cell + margin + x] = np.arange(1, rows * columns + 1)
    return cv2.dilate(markers.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)


def _roughness(smooth: Picture) -> Float32[np.ndarray, "height width"]:
    soft = cv2.GaussianBlur(smooth, (0, 0), 1).astype(np.float32)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    return (across**2 + down**2).sum(axis=2)


def _flood(smooth: Picture, markers: Int32[np.ndarray, "height width"]) -> Int32[np.ndarray, "height width"]:
    # OpenCV leaves the outermost pixels and the lines between basins unlabelled: flood a padded copy, then close lines.
    padded = cv2.copyMakeBorder(smooth, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    labels = cv2.watershed(padded, cv2.copyMakeBorder(markers, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,)))
    labels = labels[1:-1, 1:-1].astype(np.float32)
    while (lines := labels <= 0).any():
        labels[lines] = cv2.dilate(labels, np.ones((3, 3), np.uint8))[lines]
    return labels.astype(np.int32) - 1


def _borders(
    labels: Int32[np.ndarray, "height width"], smooth: Picture
) -> tuple[Int64[np.ndarray, "pairs 2"], Float64[np.ndarray, "pairs"], Float64[np.ndarray, "pairs"]]:
    """Every pair of neighbours with the length of their border and the colour step summed along it."""
    soft = cv2.GaussianBlur(smooth.astype(np.float32), (0, 0), 1) * np.array([100 / 255, 1, 1], dtype=np.float32)
    across = [_crossings(labels, soft), _crossings(labels.T, soft.swapaxes(0, 1))]
    codes, strengths = (np.concatenate(parts) for parts in zip(*across, strict=True))
    unique, place = np.unique(codes, return_inverse=True)
    pairs = np.stack(np.divmod(unique, int(labels.max()) + 1), axis=1)
    lengths = np.bincount(place, minlength=len(unique)).astype(np.float64)
    return pairs, lengths, np.bincount(place, strengths, minlength=len(unique)) / _STEP_UNIT


def _crossings(
    labels: Int32[np.ndarray, "height width"], soft: Float32[np.ndarray, "height width 3"]
) -> tuple[Int64[np.ndarray, "crossings"], Float64[np.ndarray, "crossings"]]:
    """For each pixel unlike its right neighbour: the two labels as one number, and the rounded colour step."""
    y, x = np.nonzero(labels[:, :-1] != labels[:, 1:])
    left, right = labels[y, x].astype(np.int64), labels[y, x + 1].astype(np.int64)
    num = int(labels.max()) + 1
    before = soft[y, np.maximum(x + 1 - _STEP_REACH, 0)]
    after = soft[y, np.minimum(x + _STEP_REACH, labels.shape[1] - 1)]
    strengths = np.rint(np.sqrt(((after - before) ** 2).sum(axis=1)) * _STEP_UNIT).astype(np.float64)
    return np.minimum(left, right) * num + np.maximum(left, right), strengths


def _rim(labels: Int32[np.ndarray, "height width"]) -> Int32[np.ndarray, "pixels"]:
    return np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])


def _sums(flat: Int32[np.ndarray, "pixels"], values: np.ndarray, num: int) -> Float64[np.ndarray, "patches channels"]:
    channels = values.reshape(len(flat), -1).T
    return np.stack([np.bincount(flat, channel, minlength=num) for channel in channels], axis=1)


def _histograms(
    flat: Int32[np.ndarray, "pixels"], lab: Float32[np.ndarray, "height width 3"], num: int
) -> Float64[np.ndarray, "patches bins"]:
    lightness = np.clip(lab[..., 0] * (_BINS_LIGHTNESS / 100), 0, _BINS_LIGHTNESS - 1).astype(np.int64)
    chroma = np.clip(lab[..., 1:] / _BIN_WIDTH + _BINS_CHROMA / 2, 0, _BINS_CHROMA - 1).astype(np.int64)
    bins = ((lightness * _BINS_CHROMA + chroma[..., 0]) * _BINS_CHROMA + chroma[..., 1]).ravel()
    used, place = np.unique(bins, return_inverse=True)
    counts = np.bincount(flat * len(used) + place, minlength=num * len(used))
    return counts.reshape(num, len(used)).astype(np.float64)
