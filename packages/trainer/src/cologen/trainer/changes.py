"""Differences of two recipes of one run, and which of them are allowed, by each field's effect and the stages begun."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cologen.trainer.json_files import read_lines
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.effects import Effect, effect_of, model_at, parts_of
from cologen.trainer.recipes.overrides import by_task
from cologen.trainer.recipes.stages import Stage

CHANGES = "changes.jsonl"
_ABSENT = "nothing"


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a recipe, by its dotted name, that has another value."""

    field: str
    before: Any
    after: Any
    effect: Effect

    def __str__(self) -> str:
        return f"{self.field}: {self.before} became {self.after}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any], *, finished: int, begun: int) -> list[Change]:
    """What changed between two recipes as plain values, the one that a run or a checkpoint was saved with first.

    A run's first ``finished`` stages are never trained again, so their fields may not change (``Effect.SHAPE``). Stages
    from number ``begun`` on were not begun: all their fields may change, and stages may be added or removed
    (``Effect.FREE``).
    """
    there, here = before["stages"], after["stages"]
    found = _between(Recipe, _without_stages(before), _without_stages(after), "")
    for number in range(max(len(there), len(here))):
        effect = Effect.SHAPE if number < finished else Effect.FREE if number >= begun else None
        found += _of_stage(number, there, here, effect)
    return found


def differences(before: Mapping[str, Any] | BaseModel, after: Mapping[str, Any] | BaseModel) -> list[str]:
    """What changed in any values: ``stages.control.learning_rate: 0.0001 became 5e-05``; none if nothing did."""
    old, new = (_flat(_plain(values), _any_parts) for values in (before, after))
    return [f"{name}: {one} became {other}" for name, one, other in _differing(old, new)]


def refused(found: Sequence[Change], *, remedies: bool, accepted: Collection[str] = ()) -> list[Change]:
    """The changes with which a run cannot continue.

    Args:
        remedies: whether the run stopped for losses that were not finite, whose message advises some changes.
        accepted: fields whose change was allowed before.
    """
    return [
        change
        for change in found
        if change.effect in (Effect.SHAPE, Effect.NUMBERS)
        or (change.effect is Effect.REMEDY and not remedies and change.field not in accepted)
    ]


def another_run(
    said: str, folder: Path, wrong: Sequence[object], found: Sequence[object], advice: str | None = None
) -> ValueError:
    """The error that names what is ``wrong`` among all that was ``found``, and says what to do with the run.

    Args:
        advice: what to do; None: the choices for a run that was to be continued.
    """
    words = "".join(f"\n  {each}" for each in wrong)
    if allowed := [each for each in found if each not in wrong]:
        words += "\nWhat may change, and did:" + "".join(f"\n  {each}" for each in allowed)
    if advice is None:
        branch = "" if any(_is_shape(each) for each in wrong) else f"branch off a new run (--from {folder} --out NEW), "
        advice = f"Put that back, {branch}choose another --out, or start over with --fresh."
    return ValueError(f"{said}:{words}\n{advice}")


def _is_shape(change: object) -> bool:
    """Whether it is a change that a new branch cannot make either."""
    return isinstance(change, Change) and change.effect is Effect.SHAPE


def record(folder: Path, found: Sequence[Change], after: str | None) -> None:
    """Add the changes to ``changes.jsonl`` in a run's folder, with the checkpoint ``after`` which they hold."""
    if not found:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with (folder / CHANGES).open("a", encoding="utf-8") as file:
        for change in found:
            values = {"field": change.field, "before": change.before, "after": change.after}
            file.write(json.dumps({"time": now, "checkpoint": after, **values}) + "\n")


def recorded(folder: Path) -> set[str]:
    """The fields of the changes that were recorded in a run's folder."""
    return {str(values.get("field")) for values in read_lines(folder / CHANGES)}


def _of_stage(
    number: int, there: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]], effect: Effect | None
) -> list[Change]:
    """The changes of one stage; ``effect`` in place of what its fields declare."""
    if number >= len(there) or number >= len(here) or there[number]["task"] != here[number]["task"]:
        tasks = [stages[number]["task"] if number < len(stages) else _ABSENT for stages in (there, here)]
        return [Change(f"stages.{number}", tasks[0], tasks[1], effect or Effect.SHAPE)]
    found = _between(Stage, there[number], here[number], f"stages.{here[number]['task']}.")
    return [Change(each.field, each.before, each.after, effect or each.effect) for each in found]


def _between(model: type[BaseModel], before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> list[Change]:
    def inside(name: str, value: Any) -> Mapping[str, Any]:
        *path, last = name.split(".")
        field = model_at(model, path).model_fields.get(last)
        return value if field and parts_of(field.annotation) and isinstance(value, Mapping) else {}

    return [
        Change(f"{prefix}{name}", old, new, _effect_at(model, name))
        for name, old, new in _differing(_flat(before, inside), _flat(after, inside))
    ]


def _effect_at(model: type[BaseModel], name: str) -> Effect:
    """What the field of this dotted name declares; one of another version may decide any number."""
    *path, last = name.split(".")
    owner = model_at(model, path)
    return (effect_of(owner, last) if last in owner.model_fields else None) or Effect.NUMBERS


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Names with the two values that differ, in the order of the names."""
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if old != new:
            yield name, old, new


def _flat(
    values: Mapping[str, Any], inside: Callable[[str, Any], Mapping[str, Any]], prefix: str = ""
) -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``, for values of which ``inside`` gives the parts."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        parts = inside(f"{prefix}{name}", value)
        flat |= _flat(parts, inside, f"{prefix}{name}.") if parts else {f"{prefix}{name}": value}
    return flat


def _any_parts(_name: str, value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else by_task(value)


def _plain(values: Mapping[str, Any] | BaseModel) -> Mapping[str, Any]:
    return values.model_dump(mode="json") if isinstance(values, BaseModel) else values


def _without_stages(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "stages"}
