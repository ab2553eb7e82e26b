"""Measures of held-out samples by name: the trainer knows their form, other packages bring them.

A package registers them as entry points of the group ``cologen.held_out_measures``, each a function of this form.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from cologen.trainer.recipes.held_out import INSTALLED, HeldOut

GROUP = "cologen.held_out_measures"

Picture = UInt8[np.ndarray, "height width 3"]
"""RGB in [0, 255]."""


@runtime_checkable
class Measure(Protocol):
    """Measures one sample."""

    def __call__(
        self, source: Picture | None, target: Picture, output: Picture, mask: UInt8[np.ndarray, "height width"]
    ) -> Mapping[str, float]:
        """Values by name; a name is left out where it means nothing, as outside a mask that covers the picture.

        Args:
            source: None where the output is drawn from text alone.
            mask: 1 where the output had to be made up, which is everywhere in tasks that hide nothing.
        """
        ...


def measures_of(settings: HeldOut) -> dict[str, Measure]:
    """The measures that a recipe names, or all that are installed.

    Raises:
        ValueError: one is not installed, is there twice, or cannot be imported.
    """
    found = _installed()
    names = tuple(found) if settings.measures == INSTALLED else settings.measures
    if unknown := [name for name in names if name not in found]:
        there = f"installed are {', '.join(found)}" if found else "none is installed: they come with cologen-evaluation"
        raise ValueError(
            f"held_out.measures names {', '.join(unknown)}; {there}. Install what has it, or set held_out.measures"
        )
    return {name: _loaded(found[name]) for name in names}


def explained(names: Iterable[str]) -> dict[str, str]:
    """What the first paragraph of each measure's docstring says; those that are not installed here are left out."""
    found = _installed()
    docs = {name: inspect.getdoc(_loaded(found[name])) or "" for name in names if name in found}
    first = {name: words.partition("\n\n")[0].replace("``", "") for name, words in docs.items()}
    return {name: " ".join(words.split()) for name, words in first.items() if words}


def _installed() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for each in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        if found.get(each.name, each).value != each.value:
            raise ValueError(f"two packages bring a measure {each.name}: {found[each.name].value} and {each.value}")
        found[each.name] = each
    return found


def _loaded(entry: EntryPoint) -> Measure:
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"the measure {entry.name} ({entry.value}) cannot be imported: {error}") from error
