"""What has to hold for each row of a manifest: recomputed from the row, and from its pictures if they are there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.manifest import maps
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import Task, more_sources
from cologen.datagen.passes.recipes import Recipe
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import RejectedError
from cologen.datagen.review.task_rules import TASK_RULES


def row_problems(
    row: Mapping[str, Any], task: Task, recipe: Recipe, folder: Folder, root: Path | None
) -> Iterator[str]:
    """What is wrong with a row of ``folder``, in words; ``root`` has its pictures (None: they are not looked at)."""
    if endless := [name for name, value in row.items() if not _is_finite(value)]:
        yield f"no finite number in {', '.join(endless)}"
        return
    source = recipe.source.name
    if not row["sample_id"].startswith(f"{source}/") or row["source"] != source or row["task"] != task:
        yield f"does not belong to task {task} of source {source}"
    if row["split"] != recipe.source.split:
        yield f"its split is {row['split']}, the recipe's {recipe.source.split}"
    if row["seed"] != derived_seed(recipe.seed, row["sample_id"]):
        yield "its seed is not the one of its id"
    if not fields.words(row["caption"]):
        yield "its caption is blank"
    try:
        yield from TASK_RULES[task](row, recipe)
    except ValueError as error:
        yield f"a mask does not decode: {error}"
    except (TypeError, KeyError, IndexError, OverflowError) as error:  # values that contradict each other, or none
        yield f"its values cannot be checked: {type(error).__name__}: {error}"
    if row.get("map_hash") is not None:
        yield from _map_problems(row, folder)
    if root is not None:
        yield from _picture_problems(row, root)


def _is_finite(value: Any) -> bool:
    """Whether every number of a column's value is: NaN would pass all comparisons below."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _picture_problems(row: Mapping[str, Any], root: Path) -> Iterator[str]:
    if "target_uri" in row:
        yield from _pair_picture_problems(row, root)
        return
    try:
        size = images.probe(root, row["image_uri"])
    except RejectedError as error:
        yield f"its picture cannot be used: {error}"
    else:
        if sorted(size) != sorted((row["width"], row["height"])):
            yield f"its picture is {size[0]} x {size[1]}, the row says {row['width']} x {row['height']}"
    if row.get("condition_uri") is not None and row["map_hash"] is None:
        yield from _condition_problems(row, root)


def _condition_problems(row: Mapping[str, Any], root: Path) -> Iterator[str]:
    """Of a dataset's own map."""
    asked = row["condition_width"], row["condition_height"]
    try:
        size = images.probe(root, row["condition_uri"])
    except RejectedError as error:
        yield f"its condition cannot be used: {error}"
    else:
        if size != asked:
            yield f"its condition is {size[0]} x {size[1]}, the row says {asked[0]} x {asked[1]}"


def _map_problems(row: Mapping[str, Any], folder: Folder) -> Iterator[str]:
    """Of a precomputed map beside the row."""
    try:
        data = maps.read_map(folder, row["condition_uri"], row["map_hash"])
        images.decode(data, (row["width"], row["height"]))
    except RejectedError as error:
        yield f"its map cannot be used: {error}"


def _pair_picture_problems(row: Mapping[str, Any], root: Path) -> Iterator[str]:
    for number, uri in enumerate(more_sources(row), 2):
        try:
            images.probe(root, uri)
        except RejectedError as error:
            yield f"its source {number} cannot be used: {error}"
    for role in ("source", "target"):
        try:
            size = images.probe(root, row[f"{role}_uri"])
        except RejectedError as error:
            yield f"its {role} cannot be used: {error}"
            continue
        box = row[f"{role}_box"]
        if box is not None and (box[2] > size[0] or box[3] > size[1]):
            yield f"its {role}'s box {box} leaves an image of {size[0]} x {size[1]}"
        elif role == "target" and box is None and size != (row["width"], row["height"]):
            yield f"its target is {size[0]} x {size[1]}, the row says {row['width']} x {row['height']}"
