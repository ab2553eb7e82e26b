"""Passes over the parts of a dataset, and jobs: a pass with the workers that run it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.manifest import Manifest, PartContent
from cologen.datagen.manifest.contract import Recipe
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import Task


@runtime_checkable
class PassRecipe(Recipe, Protocol):
    """All that decides the rows of a pass, as its manifest records it."""

    @property
    def task(self) -> Task:
        """The task of its rows."""
        ...

    @property
    def source(self) -> DatasetRecipe:
        """The pictures that the pass goes over."""
        ...

    @property
    def seed(self) -> int:
        """Decides every random choice, together with a sample's id."""
        ...

    @property
    def mix_asked(self) -> dict[str, float]:
        """The share asked of each kind of sample; empty where none is."""
        ...


@runtime_checkable
class Rooted(Protocol):
    """A reader as far as the engine knows it."""

    @property
    def root(self) -> Path:
        """The dataset's folder on this machine or cluster."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(ABC):
    """One pass over a dataset. Hashable and small: it is sent to every worker, which opens it once."""

    folder: Folder
    """Where the pass writes its own manifest."""
    recipe: PassRecipe
    reader: Rooted

    @abstractmethod
    def open(self) -> Callable[[Part], PartContent]:
        """Open the files and load the weights; the result is a pure function of the part."""

    def part(self, index: int) -> Part:
        """The slice of the pictures with this number."""
        return self.recipe.source.part(index)

    def manifest(self) -> Manifest:
        """The empty manifest that this pass fills."""
        recipe = self.recipe
        return Manifest.empty(
            recipe.task,
            recipe.source.name,
            recipe,
            num_parts=recipe.source.num_parts,
            root=self.reader.root,
            mix=recipe.mix_asked,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A pass and the workers it runs on.

    Without ``num_actors`` it runs as tasks of one CPU; with it, in a pool of that many actors with ``num_gpus`` each,
    which load their weights once.
    """

    pass_: Pass
    num_actors: int | None = None
    num_gpus: float = 0.0
    fresh: bool = False
    """Start over: forget the parts that an earlier run committed, whatever its recipe."""
