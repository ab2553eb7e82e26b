"""The concept stage: nouns from captions, objects from pixels, kept as a manifest of their own.

A row is one picture with all the objects found in it. Finding them is the slow part of the data, so it is cached apart:
every mask policy is a cheap pass over the same concepts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen import images as pictures_of
from cologen.datagen.concepts.nouns import NounExtractor, open_nouns
from cologen.datagen.concepts.segmenter import Picture, Segmenter
from cologen.datagen.manifest import Manifest, PartContent, committed_part, read_part
from cologen.datagen.parts import Part, SourceRecipe
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import Box, Image, ObjectMask, Reason, RejectedError, Rejection
from cologen.datagen.stages.reading import SourceReader, image_key, read_part_of
from cologen.datagen.stages.segmenters import GroundedFiles, SegmenterRecipe, open_segmenter
from cologen.datagen.storage import Folder

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

DECODERS = 2  # threads that read and decode ahead of the segmenter
BATCHES_AHEAD = 2


class ConceptRecipe(BaseModel):
    """All that decides which objects are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceRecipe
    nouns: str
    """The noun extractor by name and version; what is installed decides it, so it is recorded resolved."""
    segmenter: SegmenterRecipe = Field(discriminator="name")
    batch_size: int = Field(default=8, ge=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptStage:
    """Objects for the pictures of ``reader``, found by the recipe's segmenter."""

    folder: Folder
    recipe: ConceptRecipe
    reader: SourceReader
    files: GroundedFiles | None = None
    nouns: str = "auto"
    """A spaCy model by name or path, or ``auto``."""

    def part(self, index: int) -> Part:
        """The slice of the pictures with this number."""
        return self.reader.recipe.part(index)

    def manifest(self) -> Manifest:
        """The empty manifest that this stage fills."""
        source = self.recipe.source
        return Manifest.empty(
            "concepts", source.name, self.recipe, num_parts=source.num_parts, root=self.reader.root, mix={}
        )

    def open(self) -> Callable[[Part], PartContent]:
        """Finds the objects of a part; the weights are loaded here."""
        cv2.setNumThreads(1)  # the engine runs one part per core already
        finder = _Finder(self, open_nouns(self.nouns), open_segmenter(self.recipe.segmenter, self.files))
        source = self.reader.open()
        return lambda part: finder.find(*read_part_of(source, part))


class _Finder:
    """The opened concept stage: what one worker holds."""

    def __init__(self, stage: ConceptStage, nouns: NounExtractor, segmenter: Segmenter) -> None:
        self._stage, self._nouns, self._segmenter = stage, nouns, segmenter
        self._source = stage.recipe.source.name

    def find(self, images: list[Image], rejections: list[Rejection]) -> PartContent:
        rows: list[dict[str, Any]] = []
        nouns_of = self._nouns([image.captions[0] for image in images])
        named = [(image, nouns) for image, nouns in zip(images, nouns_of, strict=True) if nouns]
        for image, nouns in zip(images, nouns_of, strict=True):
            if not nouns:
                rejections.append(self._rejection(image, Reason.NO_NOUNS, f"in the caption {image.captions[0][:80]!r}"))
        size = self._stage.recipe.batch_size
        batches = [named[start : start + size] for start in range(0, len(named), size)]
        for batch in _ahead(self._decoded, batches):
            rejections.extend(one for one in batch if isinstance(one, Rejection))
            decoded = [one for one in batch if not isinstance(one, Rejection)]
            keys = [image_key(self._source, image.image_id) for image, _, _ in decoded]
            found = self._segmenter([picture for _, _, picture in decoded], [nouns for _, nouns, _ in decoded], keys)
            for (image, nouns, _), objects in zip(decoded, found, strict=True):
                rows.append(self._row(image, nouns, objects))
        return PartContent.of("concepts", rows, rejections)

    def _decoded(
        self, batch: Sequence[tuple[Image, tuple[str, ...]]]
    ) -> list[tuple[Image, tuple[str, ...], Picture] | Rejection]:
        decoded: list[tuple[Image, tuple[str, ...], Picture] | Rejection] = []
        for image, nouns in batch:
            try:
                data = pictures_of.read_bytes(self._stage.reader.root, image.image_uri)
                decoded.append((image, nouns, pictures_of.decode(data, (image.width, image.height))))
            except RejectedError as error:
                decoded.append(self._rejection(image, error.reason, error.detail))
        return decoded

    def _rejection(self, image: Image, reason: Reason, detail: str) -> Rejection:
        return Rejection(
            sample_id=image_key(self._source, image.image_id), stage="concepts", reason=reason, detail=detail
        )

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


def concepts_of(stage: ConceptStage, part: Part) -> tuple[list[Image], list[Rejection]]:
    """The pictures of a committed concept part with their objects, and everything turned away on the way there."""
    report = committed_part(stage.folder, part.index)
    assert report is not None, f"part {part.index} of {stage.folder} was to be committed first"
    prefix = image_key(stage.recipe.source.name, "")
    images = [_image(row, prefix) for row in read_part(stage.folder, report.file).to_pylist()]
    rejected = read_part(stage.folder, report.rejected_file).to_pylist()
    return images, [Rejection(**{**row, "reason": Reason(row["reason"])}) for row in rejected]


def _image(row: dict[str, Any], prefix: str) -> Image:
    objects = tuple(
        ObjectMask(
            noun=one["noun"],
            box=Box(**dict(zip(("x0", "y0", "x1", "y1"), one["box"], strict=True))),
            rle=one["rle"],
            score=one["score"],
            kind=one["kind"],
        )
        for one in row["objects"]
    )
    return Image(
        image_id=row["sample_id"].removeprefix(prefix),
        image_uri=row["image_uri"],
        width=row["width"],
        height=row["height"],
        split=row["split"],
        captions=tuple(row["captions"]),
        objects=objects,
    )


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
