"""Every built-in recipe and its variants by name, for the command line.

``load_recipe`` takes a name or a file, and overrides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from cologen.trainer.recipes.ablations import ABLATIONS, SWEEPS
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.overrides import overridden, read_recipe
from cologen.trainer.recipes.paper import cologen_flux, cologen_klein, cologen_qwen_image_edit
from cologen.trainer.recipes.world import (
    world,
    world_base,
    world_base_given,
    world_base_pairs,
    world_base_sources,
    world_long,
    world_small,
    world_small_base,
)

_BASES: Mapping[str, Callable[[], Recipe]] = {
    "world": world,
    "world-small": world_small,
    "cologen-flux": cologen_flux,
    "cologen-klein": cologen_klein,
    "cologen-qwen-image-edit": cologen_qwen_image_edit,
}


def _varied(base: Callable[[], Recipe], vary: Callable[[Recipe], Recipe]) -> Recipe:
    return vary(base())


def _swept(base: Callable[[], Recipe], sweep: Callable[[Recipe], Sequence[Recipe]], name: str) -> Recipe:
    return next(variant for variant in sweep(base()) if variant.name == name)


RECIPES: Mapping[str, Callable[[], Recipe]] = {
    **_BASES,
    "world-long": world_long,
    "world-base": world_base,
    "world-base-pairs": world_base_pairs,
    "world-base-given": world_base_given,
    "world-base-sources": world_base_sources,
    "world-small-base": world_small_base,
    **{
        f"{base}-{variant}": partial(_varied, make, vary)
        for base, make in _BASES.items()
        for variant, vary in ABLATIONS.items()
    },
    **{
        variant.name: partial(_swept, make, sweep, variant.name)
        for make in _BASES.values()
        for sweep in SWEEPS.values()
        for variant in sweep(make())
    },
}
"""Every recipe by the name it carries."""


def load_recipe(which: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of this name, or of a ``.toml`` or ``.json`` file, with ``dotted.name=value`` overrides.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no such name, or a mistake in the file or the overrides; all of them at once.
    """
    if Path(which).suffix in (".toml", ".json"):
        return overridden(read_recipe(Path(which)), overrides)
    if which not in RECIPES:
        raise ValueError(f"no recipe {which!r}; there are {', '.join(RECIPES)}, or give a .toml file")
    return overridden(RECIPES[which](), overrides)
