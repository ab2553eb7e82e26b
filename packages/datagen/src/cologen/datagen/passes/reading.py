"""What a build reads: a dataset under its root, and the items of one part of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic

from cologen.datagen.datasets import Dataset, Item, open_dataset
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.faults import attempt
from cologen.datagen.images.addresses import limit_pictures
from cologen.datagen.records import RejectedError, Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader(Generic[Item]):
    """A recipe's samples under the dataset's root on this machine or cluster; the recipe counts them as its images."""

    item: type[Item]
    """``Image``, ``Pair`` or ``Condition``."""
    recipe: DatasetRecipe
    root: Path

    @classmethod
    def of(cls, item: type[Item], name: str, root: Path, split: str, part_size: int, limit: int | None) -> Reader[Item]:
        """The reader over the first ``limit`` samples (None: all) that are under ``root`` now.

        Raises:
            FileNotFoundError: the dataset is not there; the message says what was expected where.
            ValueError: it holds no sample.
        """
        dataset = open_dataset(item, name, root, split)
        num_images = len(dataset) if limit is None else min(limit, len(dataset))
        if num_images == 0:
            raise ValueError(f"{dataset.name} under {root} has no pictures in split {split!r}")
        recipe = DatasetRecipe(
            name=dataset.name,
            split=split,
            num_images=num_images,
            part_size=part_size,
            fingerprint=dataset.fingerprint(),
        )
        return cls(item=item, recipe=recipe, root=root)

    def open(self) -> Dataset[Item]:
        """The dataset, opened in this process, which from now on obeys the recipe's limit of bytes per picture."""
        limit_pictures(self.recipe.max_picture_bytes)
        return open_dataset(self.item, self.recipe.name, self.root, self.recipe.split)


def image_key(dataset: str, image_id: str) -> str:
    """The part of a sample id that names the picture: ``dataset/image``; sample ids add ``#variant``."""
    return f"{dataset}/{image_id}"


def read_items(dataset: Dataset[Item], part: Part) -> tuple[list[Item], list[Rejection]]:
    """The usable items of a part, in the dataset's order, and all rejections."""
    items, rejections = list[Item](), list[Rejection]()
    for index in range(part.start, part.stop):
        reading = attempt(partial(dataset.read, index), skip_unreadable=part.skip_unreadable)
        if isinstance(reading, RejectedError):
            # Its id is not known, since reading it failed: its index in the dataset names it.
            rejections.append(reading.of(image_key(dataset.name, f"index={index}"), "reading"))
            continue
        rejections.extend(reading.rejections)
        if reading.item is not None:
            items.append(reading.item)
    return items, rejections
