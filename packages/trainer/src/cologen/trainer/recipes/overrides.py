"""Recipes from TOML or JSON files and ``a.b.c=value`` overrides, validated whole, with all mistakes named at once."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cologen.trainer.json_files import CHECKSUM, unsealed
from cologen.trainer.recipes.curriculum import HELD_OUT, Recipe
from cologen.trainer.recipes.effects import model_at
from cologen.trainer.recipes.held_out import HeldOut


def read_recipe(path: Path) -> Recipe:
    """The recipe of a ``.toml`` file, or of the ``.json`` that a run saved.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no TOML or JSON, or no recipe; all mistakes at once, each with its place.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no recipe file {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        if path.suffix == ".json" and isinstance(values, dict) and CHECKSUM in values:
            values = unsealed(text.encode(), path)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return _validated(values, str(path))


def overridden(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The recipe with each ``dotted.name=value`` put in place, left to right.

    Values are read as TOML, and as plain text where they are none: ``stages.control.learning_rate=5e-5``,
    ``stages.4.manifests={editing-omniedit = 0.9, editing-magicbrush = 0.1}``, ``routing=token``. A stage is left out
    with ``stages.editing=none``, held-out rows with ``held_out=none``.

    Raises:
        ValueError: a name or a value is wrong; all mistakes at once.
    """
    values, mistakes = recipe.whole(), list[str]()
    for override in overrides:
        if values[HELD_OUT] in (None, _NO_STAGE) and override.startswith(f"{HELD_OUT}."):
            values[HELD_OUT] = _held_out_by_default()
        try:
            _put(values, override)
        except ValueError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return _validated(values, recipe.name)


def by_task(value: Any) -> dict[str, Any]:
    """A list of stages by task; nothing if it is another kind of value."""
    if isinstance(value, list | tuple) and all(isinstance(each, dict) and "task" in each for each in value):
        return {str(stage["task"]): stage for stage in value}
    return {}


_NO_STAGE = "none"


def _held_out_by_default() -> dict[str, Any]:
    """Held-out rows of which nothing has been said yet: the manifests are to come."""
    return {name: {} if field.is_required() else field.default for name, field in HeldOut.model_fields.items()}


def _put(values: dict[str, Any], override: str) -> None:
    """Set one override in the recipe's plain values."""
    dotted, equals, text = override.partition("=")
    if not equals:
        raise ValueError(f"{override!r} is no override: expected name=value, such as seed=1")
    *path, last = [name.strip() for name in dotted.split(".")]
    place: Any = values
    for depth, name in enumerate(path):
        place = _inside(place, name, ".".join(path[:depth]))
    # Manifests and shares are named freely; every other name has to be there.
    if path[-1:] not in (["manifests"], ["task_shares"]):
        _inside(place, last, ".".join(path))
    if by_task(place):
        if text.strip() != _NO_STAGE:
            raise ValueError(
                f"{dotted.strip()} is a whole stage: set its fields one by one, or leave it out ({_NO_STAGE})"
            )
        values["stages"] = tuple(stage for stage in place if stage is not _inside(place, last, "stages"))
    else:
        place[last] = _value(text.strip())


def _inside(place: Any, name: str, where: str) -> Any:
    """The value of ``name`` in ``place``, whose own name is ``where``: a stage by task or number, else a field."""
    named = _named(place)
    if name in named:
        return named[name]
    what = where or "the recipe"
    if named:
        raise ValueError(f"{what} has no {name!r}{_meant(name, list(named))}")
    raise ValueError(f"{what} is a single value and has no {name!r} in it")


def _named(place: Any) -> dict[str, Any]:
    """The named values inside a field's plain value; none in a number, a text or a list of them."""
    if isinstance(place, dict):
        return place
    stages = by_task(place)
    return stages | {str(number): stage for number, stage in enumerate(stages.values())}


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except RecursionError as error:
        raise ValueError(f"{text[:40]} … is nested too deeply") from error


def _validated(values: Any, where: str) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        mistakes = dict.fromkeys(_mistake(values, each) for each in error.errors())
        raise ValueError(f"{where} is no valid recipe:\n" + "\n".join(f"  {each}" for each in mistakes)) from error


def _mistake(values: Any, error: Mapping[str, Any]) -> str:
    """One mistake in a line: where, what was expected and what came."""
    place: tuple[str | int, ...] = error["loc"]
    where = ".".join(_names(values, place)) or "the recipe"
    if error["type"] == "extra_forbidden":
        return f"{where} is not known{_meant(str(place[-1]), list(model_at(Recipe, place[:-1]).model_fields))}"
    if error["type"] == "missing":
        return f"{where} is missing"
    came = "" if isinstance(error["input"], dict) else f", got {error['input']!r}"
    return f"{where}: {error['msg'].removeprefix('Value error, ')}{came}"


def _names(values: Any, place: Sequence[str | int]) -> list[str]:
    """The place of a mistake, a stage's number replaced by its task where it has one."""
    names = [str(each) for each in place]
    if names[1:] and names[0] == "stages":
        stage = values["stages"][place[1]]
        names[1] = str(stage.get("task", names[1])) if isinstance(stage, dict) else names[1]
    return names
