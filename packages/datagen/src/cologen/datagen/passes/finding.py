"""Finding the objects of a part's pictures: nouns, decoding ahead on threads, and the segmenter in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from cologen.datagen.concepts.detect import Detector
from cologen.datagen.concepts.grounded import GroundedSegmenter
from cologen.datagen.concepts.nouns import open_nouns
from cologen.datagen.concepts.saliency import SaliencySegmenter
from cologen.datagen.concepts.segment import Sam
from cologen.datagen.concepts.segmenter import Segmenter
from cologen.datagen.faults import attempt, attempt_each
from cologen.datagen.images import Picture, decode, read_bytes
from cologen.datagen.manifest import PartContent
from cologen.datagen.passes.reading import Reader, image_key
from cologen.datagen.passes.rows import common_columns
from cologen.datagen.passes.segmenters import ConceptRecipe, GroundedFiles, SaliencyRecipe, SegmenterRecipe
from cologen.datagen.records import Image, ObjectMask, Reason, RejectedError, Rejection

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
    """The opened concept pass: what one worker holds."""

    def __init__(self, reader: Reader[Image], recipe: ConceptRecipe, files: GroundedFiles | None, nouns: str) -> None:
        self._root, self._recipe = reader.root, recipe
        self._nouns = open_nouns(nouns)
        self._segmenter = open_segmenter(recipe.segmenter, files)

    def find(self, images: list[Image], rejections: list[Rejection], skip_unreadable: bool = False) -> PartContent:
        """The concept rows of these pictures; ``rejections`` are earlier ones, passed on."""
        named, rejections = list[_Named](), list(rejections)
        nouns_of = attempt_each(self._nouns_of, images) if images else []
        for image, nouns in zip(images, nouns_of, strict=True):
            if isinstance(nouns, RejectedError):
                rejections.append(self._rejection(image, nouns))
            elif nouns:
                named.append((image, nouns))
            else:
                caption = f"in the caption {image.captions[0][:80]!r}"
                rejections.append(self._rejection(image, RejectedError(Reason.NO_NOUNS, caption)))
        rows: list[dict[str, Any]] = []
        step = self._recipe.batch_size
        batches = [named[start : start + step] for start in range(0, len(named), step)]
        for decoded in _ahead(partial(self._decoded, skip_unreadable=skip_unreadable), batches):
            readable = [one for one in decoded if not isinstance(one, Rejection)]
            rejections += [one for one in decoded if isinstance(one, Rejection)]
            found = attempt_each(self._found, readable) if readable else []
            for (image, nouns, _), objects in zip(readable, found, strict=True):
                if isinstance(objects, RejectedError):
                    rejections.append(self._rejection(image, objects))
                else:
                    rows.append(self._row(image, nouns, objects))
        return PartContent.of("concepts", rows, rejections)

    def _nouns_of(self, images: Sequence[Image]) -> list[tuple[str, ...]]:
        return self._nouns([image.captions[0] for image in images])

    def _decoded(self, batch: list[_Named], *, skip_unreadable: bool) -> list[_Decoded | Rejection]:
        return [self._decode(image, nouns, skip_unreadable) for image, nouns in batch]

    def _decode(self, image: Image, nouns: tuple[str, ...], skip_unreadable: bool) -> _Decoded | Rejection:
        def read() -> Picture:
            return decode(read_bytes(self._root, image.image_uri), (image.width, image.height))

        picture = attempt(read, skip_unreadable=skip_unreadable)
        return self._rejection(image, picture) if isinstance(picture, RejectedError) else (image, nouns, picture)

    def _found(self, batch: Sequence[_Decoded]) -> list[tuple[ObjectMask, ...]]:
        images, nouns, pictures = zip(*batch, strict=True)
        return self._segmenter(pictures, nouns, [self._sample_id(image) for image in images])

    def _rejection(self, image: Image, error: RejectedError) -> Rejection:
        return error.of(self._sample_id(image), "concepts")

    def _sample_id(self, image: Image) -> str:
        return image_key(self._recipe.source.name, image.image_id)

    def _row(self, image: Image, nouns: tuple[str, ...], objects: tuple[ObjectMask, ...]) -> dict[str, Any]:
        return common_columns(self._recipe, self._sample_id(image), image, image.captions[0]) | {
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
