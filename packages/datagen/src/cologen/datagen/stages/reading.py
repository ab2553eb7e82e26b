"""What a build reads: a source of pictures or of pairs opened under its root, and what one part of it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cologen.datagen.pair_records import Pair, PairSource
from cologen.datagen.parts import Part, SourceRecipe
from cologen.datagen.records import Image, Rejection, Source
from cologen.datagen.sources import open_pair_source, open_source


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReader:
    """A recipe's pictures under the dataset's root on this machine or cluster."""

    recipe: SourceRecipe
    root: Path

    @classmethod
    def of(cls, name: str, root: Path, split: str, part_size: int, limit: int | None) -> SourceReader:
        """The reader over the first ``limit`` pictures (None: all) that lie under ``root`` now.

        Raises:
            FileNotFoundError: the dataset is not there; the message says what was expected where.
            ValueError: it holds no picture.
        """
        return cls(recipe=_recipe(open_source(name, root, split), root, split, part_size, limit), root=root)

    def open(self) -> Source:
        """The source itself, opened in this process."""
        return open_source(self.recipe.name, self.root, self.recipe.split)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReader:
    """A recipe's pairs under the dataset's root on this machine or cluster; the recipe counts pairs as its images."""

    recipe: SourceRecipe
    root: Path

    @classmethod
    def of(cls, name: str, root: Path, split: str, part_size: int, limit: int | None) -> PairReader:
        """The reader over the first ``limit`` pairs (None: all) that lie under ``root`` now.

        Raises:
            FileNotFoundError: the dataset is not there; the message says what was expected where.
            ValueError: it holds no pair.
        """
        return cls(recipe=_recipe(open_pair_source(name, root, split), root, split, part_size, limit), root=root)

    def open(self) -> PairSource:
        """The source itself, opened in this process."""
        return open_pair_source(self.recipe.name, self.root, self.recipe.split)


def image_key(source: str, image_id: str) -> str:
    """The part of a sample id that names the picture: ``source/image``; sample ids add ``#variant``."""
    return f"{source}/{image_id}"


def read_part_of(source: Source, part: Part) -> tuple[list[Image], list[Rejection]]:
    """The usable pictures of a part, in the source's order, and everything turned away."""
    readings = [source.read(index) for index in range(part.start, part.stop)]
    images = [reading.image for reading in readings if reading.image is not None]
    return images, [rejection for reading in readings for rejection in reading.rejections]


def read_pairs_of(source: PairSource, part: Part) -> tuple[list[Pair], list[Rejection]]:
    """The usable pairs of a part, in the source's order, and everything turned away."""
    readings = [source.read(index) for index in range(part.start, part.stop)]
    pairs = [reading.pair for reading in readings if reading.pair is not None]
    return pairs, [rejection for reading in readings for rejection in reading.rejections]


def _recipe(source: Source | PairSource, root: Path, split: str, part_size: int, limit: int | None) -> SourceRecipe:
    """The first ``limit`` samples of a source, in parts."""
    num_images = len(source) if limit is None else min(limit, len(source))
    if num_images == 0:
        raise ValueError(f"{source.name} under {root} has no pictures in split {split!r}")
    return SourceRecipe(
        name=source.name, split=split, num_images=num_images, part_size=part_size, fingerprint=source.fingerprint()
    )
