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

from cologen.datagen import rle
from cologen.datagen.control.edges import Thresholds, edges
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.grounding import marks
from cologen.datagen.grounding.policy import BOLD
from cologen.datagen.masks.drawing import Canvas, DrawnMask, draw
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.passes.grounding import GroundingRecipe, ground
from cologen.datagen.randomness import generator
from cologen.datagen.records import Expression, Image, ObjectMask
from cologen.datagen.world.edits import Edit
from cologen.datagen.world.formats.drawing import Drawing, World
from cologen.datagen.world.formats.drawing import draw as draw_scene
from cologen.datagen.world.formats.multigen import depth_map, segmentation
from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.referring import referring_phrases
from cologen.datagen.world.render import Rendering, render
from cologen.datagen.world.scene import Scene
from cologen.datagen.world.subjects import SubjectPair, subject_pair
from cologen.evaluation.benchmarks.drawn_items import edit_in_turn
from cologen.evaluation.metrics.edges import canny_edges
from cologen.evaluation.records import ConditionMap, Picture, Question, Region
from cologen.evaluation.worldbench.mark_measures import MarkAsked
from cologen.pictures.masks import HOLE_GREY

OVERSAMPLING = 2
"""Pixels of a rendering along one of the output."""
NUM_SCENES = 1 << 31
"""More than any benchmark takes."""
CONTROL_KINDS = ("canny", "depth", "segmentation")

Truth = TypeVar("Truth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[Truth]):
    """One item: the question, the right answer's picture, and what the answer is measured against."""

    question: Question
    target: Picture
    truth: Truth
    source: Picture | None = None
    region: Region | None = None
    condition: ConditionMap | None = None


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
    drawing = _drawing(seed, index, level, size)
    question = Question(task=None, prompt=drawing.captions[0], width=size, height=size)
    return Asked(question=question, target=shrunk(drawing.rendering.picture, size), truth=drawing.captions[0])


def ask_inpaint(seed: int, index: int, level: LevelName, size: int) -> Asked[Hole]:
    """A hole over one object: by its own silhouette and irregular in turn."""
    drawing = _drawing(seed, index, level, size)
    canvas = Canvas(
        sample_id=f"{seed}-{index}", height=size * OVERSAMPLING, width=size * OVERSAMPLING,
        objects=_image(drawing).objects,
    )  # fmt: skip
    drawn = draw("object" if index % 2 else "irregular", canvas, MaskPolicy(), seed)
    assert isinstance(drawn, DrawnMask)
    hole = _shrunk_mask(rle.decode(drawn.counts, canvas.height, canvas.width), size)
    original = shrunk(drawing.rendering.picture, size)
    truth = Hole(scene=drawing.scene, original=original, hole=hole)
    question = Question(
        task="inpaint", prompt=drawing.captions[0], pictures=(original,), mask=hole, width=size, height=size
    )
    holed = np.where(hole[..., None] > 0, np.uint8(HOLE_GREY), original)
    return Asked(question=question, target=original, truth=truth, source=holed, region=hole)


def ask_grounding(seed: int, index: int, level: LevelName, size: int) -> Asked[Mark]:
    """A frame or a cover in a named colour, for an object by its words."""
    drawing = _drawing(seed, index, level, size)
    image, picture = _image(drawing), drawing.rendering.picture
    source = DatasetRecipe(name="world", split="val", num_images=1, part_size=1, fingerprint="drawn")
    recipe = GroundingRecipe(source=source, seed=seed, policy=BOLD)
    rows, rejected = ground(recipe, Part(index, index, index + 1), [image], [], lambda _uri, _size: picture)
    if not rows:
        raise ValueError(f"scene {drawing.scene.key} gives no mark: {rejected[0].detail}")
    row = rows[0]
    target, plain = shrunk(marks.marked(picture, row), size), shrunk(picture, size)
    at_size = replace(render(drawing.scene, size, size), picture=plain)
    asked = MarkAsked(
        kind="cover" if row["referring"] == "mask" else "frame",
        targets=_marked_objects(row, image),
        color=row["color"],
        line_width=max(1, round((row["line_width"] or 1) / OVERSAMPLING)),
    )
    question = Question(task="grounding", prompt=row["caption"], pictures=(plain,), width=size, height=size)
    return Asked(question=question, target=target, truth=Mark(rendering=at_size, asked=asked), source=plain)


def ask_control(seed: int, index: int, level: LevelName, size: int) -> Asked[Controlled]:
    """A map of edges, depth or classes, in turn."""
    drawing, kind = _drawing(seed, index, level, size), CONTROL_KINDS[index % len(CONTROL_KINDS)]
    picture = drawing.rendering.picture
    found = edges(picture, Thresholds())
    maps: dict[str, Picture] = {
        "canny": np.repeat(found[..., None], 3, axis=2),
        "depth": np.repeat(depth_map(drawing)[..., None], 3, axis=2),
        "segmentation": segmentation(drawing),
    }
    method = cv2.INTER_NEAREST if kind == "segmentation" else cv2.INTER_AREA
    condition = cv2.resize(maps[kind], (size, size), interpolation=method).astype(np.uint8)
    labels = cv2.resize(drawing.rendering.class_map, (size, size), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    target = shrunk(picture, size)
    truth = Controlled(kind=kind, scene=drawing.scene, edges=_edges_measured(target), labels=labels)
    question = Question(task="control", prompt=drawing.captions[0], pictures=(condition,), width=size, height=size)
    return Asked(question=question, target=target, truth=truth)


def ask_customized(seed: int, index: int, level: LevelName, size: int) -> Asked[SubjectPair]:
    """A subject's picture and the words of another scene with it."""
    pair = subject_pair(seed, index, level)
    source, target = (_drawn(scene, size) for scene in (pair.first, pair.second))
    question = Question(task="customized", prompt=pair.second_words, pictures=(source,), width=size, height=size)
    return Asked(question=question, target=target, truth=pair, source=source)


def ask_editing(seed: int, index: int, level: LevelName, size: int) -> Asked[Edited]:
    """An edit of the kind whose turn it is, of the first of the item's scenes that allows it."""
    made = edit_in_turn(seed, index, level)
    source, target = (_drawn(scene, size) for scene in (made.before, made.after))
    question = Question(task="editing", prompt=made.instruction, pictures=(source,), width=size, height=size)
    region = (source != target).any(axis=2).astype(np.uint8)
    return Asked(question=question, target=target, truth=Edited(edit=made, source=source), source=source, region=region)


ASK: Mapping[str, Callable[[int, int, LevelName, int], Asked[Any]]] = MappingProxyType(
    {
        "text": ask_text,
        "inpaint": ask_inpaint,
        "grounding": ask_grounding,
        "control": ask_control,
        "customized": ask_customized,
        "editing": ask_editing,
    }
)
"""``(seed, index, level, size)`` to an item, by task."""


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


def _drawing(seed: int, index: int, level: LevelName, size: int) -> Drawing:
    side = size * OVERSAMPLING
    return draw_scene(World(num_scenes=NUM_SCENES, width=side, height=side, seed=seed, level=level), index)


def _drawn(scene: Scene, size: int) -> Picture:
    return shrunk(render(scene, size * OVERSAMPLING, size * OVERSAMPLING).picture, size)


def _image(drawing: Drawing) -> Image:
    """The scene as a dataset's reader would give it."""
    rendering, scene = drawing.rendering, drawing.scene
    objects = tuple(
        ObjectMask(noun=thing.shape, box=box, rle=rle.encode(mask))
        for thing, box, mask in zip(scene.objects, rendering.boxes, rendering.masks, strict=True)
    )
    expressions = tuple(
        Expression(text=_one_of(phrases, scene, i), targets=(i,))
        for i in range(len(scene.objects))
        if (phrases := referring_phrases(scene, i))
    )
    return Image(
        image_id=scene.key, image_uri=f"{scene.key}.png", width=drawing.world.width, height=drawing.world.height,
        split="val", captions=drawing.captions[:1], objects=objects, expressions=expressions,
    )  # fmt: skip


def _one_of(phrases: tuple[str, ...], scene: Scene, index: int) -> str:
    return phrases[int(generator(scene.seed, "expression", scene.key, index).integers(len(phrases)))]


def _marked_objects(row: Mapping[str, Any], image: Image) -> tuple[int, ...]:
    """The objects whose boxes a row has, or whose masks its mask is."""
    boxes = {tuple(box) for box in row["boxes"]}
    return tuple(i for i, item in enumerate(image.objects) if item.box.xyxy() in boxes)
