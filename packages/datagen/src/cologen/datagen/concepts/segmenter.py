"""The interface of a segmenter: pictures and their nouns in, objects with masks out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from cologen.datagen.images import Picture
from cologen.datagen.records import ObjectMask


@runtime_checkable
class Segmenter(Protocol):
    """Finds the objects of pictures; what it finds for one picture never depends on the others in the call."""

    name: str
    """Goes into the recipe: ``groundingdino+sam``, ``saliency+grabcut``."""

    def __call__(
        self, pictures: Sequence[Picture], nouns: Sequence[tuple[str, ...]], keys: Sequence[str]
    ) -> list[tuple[ObjectMask, ...]]:
        """The objects of each picture, best first.

        ``nouns[i]`` are the words looked for in ``pictures[i]`` (segmenters that find objects without names ignore
        them); ``keys[i]`` is its sample id, for randomness that belongs to the sample.
        """
        ...
