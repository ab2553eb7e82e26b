"""Finding the objects of a part's pictures: nouns, decoding ahead on threads, and the segmenter in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import cv2

from cologen.datagen.concepts.detect import Detector
from cologen.datagen.concepts.grounded import GroundedSegmenter
from cologen.datagen.concepts.nouns import open_nouns
from cologen.datagen.concepts.saliency import SaliencySegmenter
from cologen.datagen.concepts.segment import Sam
from cologen.datagen.concepts.segmenter import Segmenter
from cologen.datagen.images import Picture, decode, read_bytes
from cologen.datagen.manifest import PartContent
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import Image, ObjectMask, Reason, RejectedError, Rejection
from cologen.datagen.stages.concepts import ConceptRecipe
from cologen.datagen.stages.reading import SourceReader, image_key
from cologen.datagen.stages.segmenters import GroundedFiles, SaliencyRecipe, SegmenterRecipe

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_Named = tuple[Image, tuple[str, ...]]
_Decoded = tuple[Image, tuple[str, ...], Picture]

DECODERS = 2  # threads that read and decode ahead of the segmenter
BATCHES_AHEAD = 2


def open_segmenter(recipe: SegmenterRecipe, files: GroundedFiles | None) -> Segmenter:
    """The segmenter of a recipe, its weights loaded.

    Raises:
        FileNotFoundError: a file of weights is missing.
        ValueError: the recipe asks for weights and no files are given, or a file does not hold such weights.
    """
    if isinstance(recipe, SaliencyRecipe):
        return SaliencySegmenter(recipe.settings)
    if files is None:
        raise ValueError("groundingdino+sam needs its config, checkpoint and SAM checkpoint")
    detector = Detector.load(
        files.config,
        files.checkpoint,
        text_encoder=files.text_encoder,
        device=files.device,
        settings=recipe.detector,
    )
    return GroundedSegmenter(detector, Sam.load(files.sam, device=files.device), mask_iou=recipe.mask_iou)


class Finder:
    """The opened concept stage: what one worker holds."""

    def __init__(self, reader: SourceReader, recipe: ConceptRecipe, files: GroundedFiles | None, nouns: str) -> None:
        cv2.setNumThreads(1)  # the engine runs one part per core already
        self._root, self._source, self._batch_size = reader.root, recipe.source.name, recipe.batch_size
        self._nouns = open_nouns(nouns)
        self._segmenter = open_segmenter(recipe.segmenter, files)

    def find(self, images: list[Image], rejections: list[Rejection]) -> PartContent:
        """The concept rows of these pictures; ``rejections`` are those met before, and are passed on."""
        named, rejections = list[_Named](), list(rejections)
        for image, nouns in zip(images, self._nouns([image.captions[0] for image in images]), strict=True):
            if nouns:
                named.append((image, nouns))
            else:
                caption = f"in the caption {image.captions[0][:80]!r}"
                rejections.append(self._rejection(image, RejectedError(Reason.NO_NOUNS, caption)))
        rows: list[dict[str, Any]] = []
        batches = [named[start : start + self._batch_size] for start in range(0, len(named), self._batch_size)]
        for decoded, refused in _ahead(self._decode, batches):
            rows.extend(self._rows(decoded))
            rejections.extend(refused)
        return PartContent.of("concepts", rows, rejections)

    def _decode(self, batch: list[_Named]) -> tuple[list[_Decoded], list[Rejection]]:
        decoded, refused = list[_Decoded](), list[Rejection]()
        for image, nouns in batch:
            try:
                data = read_bytes(self._root, image.image_uri)
                decoded.append((image, nouns, decode(data, (image.width, image.height))))
            except RejectedError as error:
                refused.append(self._rejection(image, error))
        return decoded, refused

    def _rows(self, batch: list[_Decoded]) -> list[dict[str, Any]]:
        if not batch:
            return []
        images, nouns, pictures = zip(*batch, strict=True)
        found = self._segmenter(pictures, nouns, [image_key(self._source, image.image_id) for image in images])
        return [self._row(*row) for row in zip(images, nouns, found, strict=True)]

    def _rejection(self, image: Image, error: RejectedError) -> Rejection:
        return error.of(image_key(self._source, image.image_id), "concepts")

    def _row(self, image: Image, nouns: tuple[str, ...], objects: tuple[ObjectMask, ...]) -> dict[str, Any]:
        sample_id = image_key(self._source, image.image_id)
        return {
            "sample_id": sample_id,
            "task": "concepts",
            "source": self._source,
            "split": image.split,
            "image_uri": image.image_uri,
            "width": image.width,
            "height": image.height,
            "caption": image.captions[0],
            "seed": derived_seed(0, sample_id),
            "captions": image.captions,
            "nouns": nouns,
            "objects": [
                {"noun": one.noun, "box": one.box.xyxy(), "rle": one.rle, "score": one.score, "kind": one.kind}
                for one in objects
            ],
        }


def _ahead(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Results in order, computed on threads a bounded number of items ahead."""
    with ThreadPoolExecutor(DECODERS) as pool:
        waiting = deque[Future[_Result]]()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > BATCHES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
