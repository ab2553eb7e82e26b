"""The concept pass: nouns from captions, objects from pixels, kept as a manifest of their own.

A row is one picture with all the objects found in it. Finding them is the slow part of the data, so it is cached apart:
every mask policy is a cheap pass over the same concepts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cologen.datagen.engine.jobs import Pass
from cologen.datagen.engine.parts import Part
from cologen.datagen.manifest import PartContent, committed_part, read_part
from cologen.datagen.passes.reading import Reader, image_key, read_items
from cologen.datagen.passes.segmenters import ConceptRecipe, GroundedFiles
from cologen.datagen.records import Box, Image, ObjectMask, Reason, Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptPass(Pass):
    """Objects for the pictures of ``reader``, found by the recipe's segmenter."""

    recipe: ConceptRecipe
    reader: Reader[Image]
    files: GroundedFiles | None = None
    nouns: str = "auto"
    """A spaCy model by name or path, or ``auto``."""

    def open(self) -> Callable[[Part], PartContent]:
        """Finds the objects of a part; the weights are loaded here."""
        # Here and not above: torch and spaCy take seconds to import, and a mask pass needs neither.
        from cologen.datagen.passes.finding import Finder

        finder = Finder(self.reader, self.recipe, self.files, self.nouns)
        dataset = self.reader.open()
        return lambda part: finder.find(*read_items(dataset, part), part.skip_unreadable)


def concepts_of(concepts: ConceptPass, part: Part) -> tuple[list[Image], list[Rejection]]:
    """The pictures of a committed concept part with their objects, and everything rejected before."""
    report = committed_part(concepts.folder, part.index)
    assert report is not None, f"part {part.index} of {concepts.folder} was to be committed first"
    prefix = image_key(concepts.recipe.source.name, "")
    images = [_image(row, prefix) for row in read_part(concepts.folder, report.file).to_pylist()]
    rejected = read_part(concepts.folder, report.rejected_file).to_pylist()
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
