"""What a model is asked on one held-out scene, by task, as training's rows ask it, and what should come out.

Scenes are rendered in twice the asked size and shrunk, as training shrinks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import cv2
import numpy as np

from cologen.datagen.drawn_pairs import (
    Condition,
    DrawnPair,
    control_pair,
    customized_pair,
    editing_pair,
    grounding_pair,
    inpaint_pair,
    pair_from_map,
)
from cologen.datagen.world.captions import captions
from cologen.datagen.world.edits import Edit
from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.render import Rendering, render
from cologen.datagen.world.scene import Scene, sample_scene
from cologen.datagen.world.subjects import SubjectPair
from cologen.evaluation.metrics.edges import canny_edges
from cologen.evaluation.records import ConditionMap, Picture, Question, Region
from cologen.evaluation.worldbench.control_measures import covering_pairs
from cologen.evaluation.worldbench.mark_measures import MarkAsked
from cologen.model.tasks import TaskName
from cologen.pictures.masks import HOLE_GREY

OVERSAMPLING = 2
"""Pixels of a rendering along one of the output."""
_SCENES_PER_ITEM = 256
"""Scenes that may be looked at for an item that not every scene can be."""

Truth = TypeVar("Truth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[Truth]):
    """One item: the question, the right answer's picture, and what the answer is measured against."""

    question: Question
    target: Picture
    truth: Truth
    source: Picture | None = None
    region: Region | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """An inpainting item: the scene, its whole picture, and the hole."""

    scene: Scene
    original: Picture
    hole: Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A grounding item: the rendering in the output's size, and the mark that is asked for."""

    rendering: Rendering
    asked: MarkAsked


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """A control item: which map it is made from, the scene, and its edges and classes in the output's size."""

    kind: str
    scene: Scene
    edges: ConditionMap
    labels: ConditionMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """An editing item: the edit and its source."""

    edit: Edit
    source: Picture


def ask_text(seed: int, index: int, level: LevelName, size: int) -> Asked[str]:
    """A caption alone."""
    scene = sample_scene(seed, index, level)
    caption = captions(scene, 1)[0]
    question = Question(task=None, prompt=caption, width=size, height=size)
    target = render(scene, size * OVERSAMPLING, size * OVERSAMPLING).picture
    return Asked(question=question, target=shrunk(target, size), truth=caption)


def ask_inpaint(seed: int, index: int, level: LevelName, size: int) -> Asked[Hole]:
    """A hole over one object: by its own silhouette and irregular in turn."""
    pair = inpaint_pair(seed, index, level, size * OVERSAMPLING)
    hole, original = _shrunk_mask(pair.made.mask, size), shrunk(pair.target, size)
    truth = Hole(scene=pair.made.drawing.scene, original=original, hole=hole)
    question = Question(task="inpaint", prompt=pair.prompt, pictures=(original,), mask=hole, width=size, height=size)
    holed = np.where(hole[..., None] > 0, np.uint8(HOLE_GREY), original)
    return Asked(question=question, target=original, truth=truth, source=holed, region=hole)


def ask_grounding(seed: int, index: int, level: LevelName, size: int) -> Asked[Mark]:
    """A frame or a cover in a named colour, for an object by its words."""
    pair = grounding_pair(seed, index, level, size * OVERSAMPLING)
    row, plain = pair.made.row, shrunk(pair.source, size)
    at_size = replace(render(pair.made.scene, size, size), picture=plain)
    asked = MarkAsked(
        kind="cover" if row["referring"] == "mask" else "frame",
        targets=pair.made.targets,
        color=row["color"],
        line_width=max(1, round((row["line_width"] or 1) / OVERSAMPLING)),
        any_of=row["referring"] == "instance",
    )
    truth = Mark(rendering=at_size, asked=asked)
    return Asked(question=_on("grounding", pair, plain), target=shrunk(pair.target, size), truth=truth, source=plain)


def ask_control(seed: int, index: int, level: LevelName, size: int) -> Asked[Controlled]:
    """A map of edges, depth or classes, in turn."""
    return _controlled(control_pair(seed, index, level, size * OVERSAMPLING), size)


def ask_depth(seed: int, index: int, level: LevelName, size: int) -> Asked[Controlled]:
    """A map of depth, of the first of the item's scenes in which an object covers another.

    Raises:
        RuntimeError: none of them has such objects, of which no case is known.
    """
    scenes = range(index * _SCENES_PER_ITEM, (index + 1) * _SCENES_PER_ITEM)
    found = next((each for each in scenes if covering_pairs(sample_scene(seed, each, level), size, size)), None)
    if found is None:
        raise RuntimeError(f"no scene of seed {seed}, item {index} has objects that overlap: take another seed")
    return _controlled(pair_from_map(seed, found, level, size * OVERSAMPLING, "depth"), size)


def _controlled(pair: DrawnPair[Condition], size: int) -> Asked[Controlled]:
    drawing, kind, target = pair.made.drawing, pair.made.kind, shrunk(pair.target, size)
    method = cv2.INTER_NEAREST if kind == "segmentation" else cv2.INTER_AREA
    condition = cv2.resize(pair.source, (size, size), interpolation=method).astype(np.uint8)
    labels = cv2.resize(drawing.rendering.class_map, (size, size), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    truth = Controlled(kind=kind, scene=drawing.scene, edges=_edges_measured(target), labels=labels)
    return Asked(question=_on("control", pair, condition), target=target, truth=truth)


def ask_customized(seed: int, index: int, level: LevelName, size: int) -> Asked[SubjectPair]:
    """A subject's picture and the words of another scene with it."""
    pair = customized_pair(seed, index, level, size * OVERSAMPLING)
    source, target = shrunk(pair.source, size), shrunk(pair.target, size)
    return Asked(question=_on("customized", pair, source), target=target, truth=pair.made, source=source)


def ask_editing(seed: int, index: int, level: LevelName, size: int) -> Asked[Edited]:
    """An edit of the kind whose turn it is, of the first of the item's scenes that allows it."""
    pair = editing_pair(seed, index, level, size * OVERSAMPLING)
    source, target = shrunk(pair.source, size), shrunk(pair.target, size)
    region = (source != target).any(axis=2).astype(np.uint8)
    truth = Edited(edit=pair.made, source=source)
    return Asked(question=_on("editing", pair, source), target=target, truth=truth, source=source, region=region)


ASK: Mapping[str, Callable[[int, int, LevelName, int], Asked[Any]]] = MappingProxyType(
    {
        "text": ask_text,
        "inpaint": ask_inpaint,
        "grounding": ask_grounding,
        "control": ask_control,
        "depth": ask_depth,
        "customized": ask_customized,
        "editing": ask_editing,
    }
)
"""``(seed, index, level, size)`` to an item, by task; ``depth`` is the part of control that few scenes show."""


def shrunk(picture: Picture, size: int) -> Picture:
    """A rendering in the output's size, as batches of training are made."""
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _edges_measured(picture: Picture) -> ConditionMap:
    """The edges as the measure finds them, so that a true picture has an F1 of 1; the map shows those of training."""
    return (255 * canny_edges(picture)).astype(np.uint8)


def _shrunk_mask(mask: Region, size: int) -> Region:
    """1 where at least half of a pixel is."""
    shown = cv2.resize(255 * mask, (size, size), interpolation=cv2.INTER_AREA)
    return (shown > 127).astype(np.uint8)


def _on(task: TaskName, pair: DrawnPair[Any], source: Picture) -> Question:
    """A pair's words, said of a picture in the output's size."""
    height, width = source.shape[:2]
    return Question(task=task, prompt=pair.prompt, pictures=(source,), width=width, height=height)
