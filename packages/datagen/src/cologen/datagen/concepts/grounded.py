"""The paper's segmenter: GroundingDINO finds the nouns of the caption, Segment Anything draws their masks."""

from __future__ import annotations

from collections.abc import Sequence

from cologen.datagen import rle
from cologen.datagen.concepts.detect import Detector
from cologen.datagen.concepts.segment import Sam
from cologen.datagen.images import Picture
from cologen.datagen.records import ObjectMask


class GroundedSegmenter:
    """A :class:`Segmenter` whose objects carry the noun that was looked for and the detector's score.

    ``mask_iou``: of two masks that overlap by more, the one with the higher score stays. 1 keeps both: the detector has
    already compared their boxes.
    """

    name = "groundingdino+sam"

    def __init__(self, detector: Detector, sam: Sam, *, mask_iou: float = 1.0) -> None:
        if not 0 <= mask_iou <= 1:
            raise ValueError(f"mask_iou must be in [0, 1], got {mask_iou}")
        self._detector = detector
        self._sam = sam
        self._mask_iou = mask_iou

    def __call__(
        self, pictures: Sequence[Picture], nouns: Sequence[tuple[str, ...]], keys: Sequence[str]
    ) -> list[tuple[ObjectMask, ...]]:
        """The objects of each picture, best first; ``keys`` are not needed, nothing here is random."""
        detections = self._detector.detect(pictures, nouns)
        masks = self._sam.masks(pictures, [[detection.box for detection in found] for found in detections])
        return [
            self._without_copies(
                [
                    ObjectMask(noun=detection.noun, box=mask.box, rle=mask.rle, score=detection.score)
                    for detection, mask in zip(found, drawn, strict=True)
                    if mask.box.area > 0
                ],
                *picture.shape[:2],
            )
            for picture, found, drawn in zip(pictures, detections, masks, strict=True)
        ]

    def _without_copies(self, objects: Sequence[ObjectMask], height: int, width: int) -> tuple[ObjectMask, ...]:
        kept: list[ObjectMask] = []
        for each in objects:
            iou, _ = rle.overlaps(each.rle, [better.rle for better in kept], height, width)
            if iou.max(initial=0.0) <= self._mask_iou:
                kept.append(each)
        return tuple(kept)
