"""The object masks of ADE20K's full form: one picture's instance masks, and its segmentation where those are lacking.

In ``NAME_seg.png`` the class is (red // 10) * 256 + green and blue tells objects apart; in what order, the annotation
does not say, so objects of one class are separated by their polygons.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Int64

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.rle import Mask

_VISIBLE = 255
_BLUES = 256


class ObjectMasks:
    """Of the picture at ``stem``, a path without suffix under ``root``, of ``size`` (width, height)."""

    def __init__(self, root: Path, stem: str, size: tuple[int, int]) -> None:
        self._root, self._stem, self._size = root, stem, size

    def visible(self, item: fields.Record) -> Mask:
        """The pixels that are seen of an object of the annotation.

        Raises:
            RejectedError: no mask for it, one of another size, or nothing is seen.
        """
        try:
            mask = self._instance(item)
        except RejectedError as error:
            if error.reason is not Reason.MISSING_IMAGE or self._codes is None:
                raise
            mask = self._segment(item, self._codes)
        if not mask.any():
            raise RejectedError(Reason.EMPTY_MASK, "no pixel is seen")
        return mask

    def _instance(self, item: fields.Record) -> Mask:
        """Instance masks hold 0, 128 where something stands before the object, and 255 where it is seen."""
        name = item.get("instance_mask")
        if not isinstance(name, str):
            raise RejectedError(Reason.MISSING_IMAGE, "no instance_mask is named")
        uri = f"{self._stem.rpartition('/')[0]}/{name}"
        values = images.decode_map(images.read_bytes(self._root, uri), self._size)
        return ((values if values.ndim == 2 else values[..., 0]) == _VISIBLE).astype(np.uint8)

    @cached_property
    def _codes(self) -> Int64[np.ndarray, "height width"] | None:
        """Class * 256 + blue of every pixel; None where the picture has no segmentation."""
        if not (self._root / f"{self._stem}_seg.png").is_file():
            return None
        pixels = images.decode_map(images.read_bytes(self._root, f"{self._stem}_seg.png"), self._size)
        if pixels.ndim != 3:
            raise RejectedError(Reason.UNSUPPORTED_MODE, "segmentation of 1 channel, expected 3")
        red, green, blue = (pixels[..., channel].astype(np.int64) for channel in range(3))
        return (red // 10 * 256 + green) * _BLUES + blue

    def _segment(self, item: fields.Record, codes: Int64[np.ndarray, "height width"]) -> Mask:
        kind = fields.integer(item, "name_ndx")
        found, counts = np.unique(codes[self._inside(item)], return_counts=True)
        counts[found // _BLUES != kind] = 0
        if not counts.any():
            raise RejectedError(Reason.EMPTY_MASK, f"no pixel of class {kind} within the polygon")
        return (codes == found[counts.argmax()]).astype(np.uint8)

    def _inside(self, item: fields.Record) -> Bool[np.ndarray, "height width"]:
        polygon = fields.record(item, "polygon")
        x, y = fields.items(polygon, "x"), fields.items(polygon, "y")
        if len(x) != len(y) or not set(map(type, x + y)) <= {int, float}:
            raise RejectedError(Reason.MALFORMED_RECORD, "polygon: expected as many x as y, all numbers")
        if len(x) < 3:
            raise RejectedError(Reason.DEGENERATE_POLYGON, f"{len(x)} points")
        width, height = self._size
        # Far corners first, since a float64 holds no whole number of 400 digits.
        corners = [[min(max(number, -1e9), 1e9) for number in numbers] for numbers in (x, y)]
        points = np.array(corners, dtype=np.float64).T
        if not np.isfinite(points).all():
            raise RejectedError(Reason.DEGENERATE_POLYGON, "a coordinate is not a finite number")
        points = np.clip(points, (0, 0), (width - 1, height - 1)).round().astype(np.int32)
        return cv2.fillPoly(np.zeros((height, width), dtype=np.uint8), [points], (1,)).astype(bool)
