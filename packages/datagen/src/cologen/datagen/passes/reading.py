"""What a build reads: a source of pictures, pairs or conditions under its root, and what one part of it holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from cologen.datagen.datasets import open_condition_source, open_pair_source, open_source
from cologen.datagen.engine.parts import Part, SourceRecipe
from cologen.datagen.faults import attempt
from cologen.datagen.images.addresses import limit_pictures
from cologen.datagen.pair_records import Condition, ConditionSource, Pair, PairSource
from cologen.datagen.records import Image, RejectedError, Rejection, Source

_Opened = TypeVar("_Opened", Source, PairSource, ConditionSource)
_Item = TypeVar("_Item")
_Own = TypeVar("_Own", bound="_Reader[Any]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader(ABC, Generic[_Opened]):
    """A recipe's samples under the dataset's root on this machine or cluster; the recipe counts them as its images."""

    recipe: SourceRecipe
    root: Path

    @classmethod
    def of(cls: type[_Own], name: str, root: Path, split: str, part_size: int, limit: int | None) -> _Own:
        """The reader over the first ``limit`` samples (None: all) that are under ``root`` now.

        Raises:
            FileNotFoundError: the dataset is not there; the message says what was expected where.
            ValueError: it holds no sample.
        """
        source = cls.opened(name, root, split)
        num_images = len(source) if limit is None else min(limit, len(source))
        if num_images == 0:
            raise ValueError(f"{source.name} under {root} has no pictures in split {split!r}")
        recipe = SourceRecipe(
            name=source.name, split=split, num_images=num_images, part_size=part_size, fingerprint=source.fingerprint()
        )
        return cls(recipe=recipe, root=root)

    @staticmethod
    @abstractmethod
    def opened(name: str, root: Path, split: str) -> _Opened:
        """A source of this reader's kind by its name."""

    def open(self) -> _Opened:
        """The source itself, opened in this process, which from now on holds to the recipe's limit of bytes."""
        limit_pictures(self.recipe.max_picture_bytes)
        return self.opened(self.recipe.name, self.root, self.recipe.split)


class SourceReader(_Reader[Source]):
    """The pictures of a recipe."""

    opened = staticmethod(open_source)


class PairReader(_Reader[PairSource]):
    """The pairs of a recipe."""

    opened = staticmethod(open_pair_source)


class ConditionReader(_Reader[ConditionSource]):
    """The pictures of a recipe that have prompts, with the conditions that the dataset has of them."""

    opened = staticmethod(open_condition_source)


def image_key(source: str, image_id: str) -> str:
    """The part of a sample id that names the picture: ``source/image``; sample ids add ``#variant``."""
    return f"{source}/{image_id}"


def read_part_of(source: Source, part: Part) -> tuple[list[Image], list[Rejection]]:
    """The usable pictures of a part, in the source's order, and everything turned away."""
    return _read(source, part, lambda reading: reading.image)


def read_pairs_of(source: PairSource, part: Part) -> tuple[list[Pair], list[Rejection]]:
    """The usable pairs of a part, in the source's order, and everything turned away."""
    return _read(source, part, lambda reading: reading.pair)


def read_conditions_of(source: ConditionSource, part: Part) -> tuple[list[Condition], list[Rejection]]:
    """The usable conditions of a part, in the source's order, and everything turned away."""
    return _read(source, part, lambda reading: reading.condition)


@runtime_checkable
class _Reading(Protocol):
    @property
    def rejections(self) -> tuple[Rejection, ...]: ...


_Read = TypeVar("_Read", bound=_Reading, covariant=True)


@runtime_checkable
class _Readable(Protocol[_Read]):
    name: str

    def read(self, index: int) -> _Read: ...


def _read(
    source: _Readable[_Read], part: Part, item_of: Callable[[_Read], _Item | None]
) -> tuple[list[_Item], list[Rejection]]:
    items, rejections = list[_Item](), list[Rejection]()
    for index in range(part.start, part.stop):
        reading = attempt(partial(source.read, index), skip_unreadable=part.skip_unreadable)
        if isinstance(reading, RejectedError):
            # Its id is not known, since reading it failed: its place in the source names it.
            rejections.append(reading.of(image_key(source.name, f"index={index}"), "reading"))
            continue
        rejections.extend(reading.rejections)
        if (item := item_of(reading)) is not None:
            items.append(item)
    return items, rejections
