"""Source and target of every task, drawn from scenes of the synthetic dataset when they are asked for, without files.

Builders make the same from files. Here they are drawn in an endless series, with all that they were made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np

from cologen.datagen import rle
from cologen.datagen.control.edges import Thresholds, edges
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.grounding import marks
from cologen.datagen.grounding.policy import BOLD
from cologen.datagen.images import Picture
from cologen.datagen.masks.drawing import Canvas, DrawnMask
from cologen.datagen.masks.drawing import draw as draw_mask
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.passes.grounding import GroundingRecipe, ground
from cologen.datagen.randomness import generator
from cologen.datagen.records import Expression, Image, ObjectMask
from cologen.datagen.rle import Mask
from cologen.datagen.world.edits import EDIT_KINDS, Edit, edit
from cologen.datagen.world.formats.drawing import Drawing, World, draw
from cologen.datagen.world.formats.multigen import depth_map, segmentation
from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.referring import referring_phrases
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene, sample_scene
from cologen.datagen.world.subjects import SubjectPair, subject_pair
from cologen.pictures.masks import HOLE_GREY

CONTROL_KINDS = ("canny", "depth", "segmentation")
_NUM_SCENES = 1 << 31
"""More than anybody asks for."""
_SCENES_PER_EDIT = 64
"""Scenes that may be tried for an edit: not every scene allows every kind."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPair(Generic[Made]):
    """Two pictures of ``side`` × ``side`` pixels, what is said between them, and what they were ``made`` from."""

    prompt: str
    source: Picture
    target: Picture
    made: Made


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Of inpainting: the drawn scene, and the mask that is 1 in the hole."""

    drawing: Drawing
    mask: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Of grounding: the scene, the manifest row of the mark, and the objects that are meant: those that it is on, or
    of instance referring, where any one will do, all of the class."""

    scene: Scene
    row: Mapping[str, Any]
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Of control: the drawn scene, and which of its maps the source is."""

    drawing: Drawing
    kind: str


def inpaint_pair(seed: int, index: int, level: LevelName, side: int) -> DrawnPair[Hole]:
    """A hole in one object's silhouette and an irregular one in turn."""
    drawing = _drawing(seed, index, level, side)
    canvas = Canvas(sample_id=f"{seed}-{index}", height=side, width=side, objects=_image(drawing).objects)
    drawn = draw_mask("object" if index % 2 else "irregular", canvas, MaskPolicy(), seed)
    assert isinstance(drawn, DrawnMask)
    mask, picture = rle.decode(drawn.counts, side, side), drawing.rendering.picture
    holed = np.where(mask[..., None] > 0, np.uint8(HOLE_GREY), picture)
    return DrawnPair(prompt=drawing.captions[0], source=holed, target=picture, made=Hole(drawing=drawing, mask=mask))


def grounding_pair(seed: int, index: int, level: LevelName, side: int) -> DrawnPair[Mark]:
    """A frame or a cover in a named colour, for an object by its words."""
    drawing = _drawing(seed, index, level, side)
    image, picture = _image(drawing), drawing.rendering.picture
    source = DatasetRecipe(name="world", split="val", num_images=1, part_size=1, fingerprint="drawn")
    recipe = GroundingRecipe(source=source, seed=seed, policy=BOLD)
    rows, rejected = ground(recipe, Part(index, index, index + 1), [image], [], lambda _uri, _size: picture)
    if not rows:
        raise ValueError(f"scene {drawing.scene.key} gives no mark: {rejected[0].detail}")
    row = rows[0]
    boxes = {tuple(box) for box in row["boxes"]}
    targets = tuple(i for i, item in enumerate(image.objects) if item.box.xyxy() in boxes)
    if row["referring"] == "instance":
        nouns = {image.objects[i].noun for i in targets}
        targets = tuple(i for i, item in enumerate(image.objects) if item.noun in nouns)
    made = Mark(scene=drawing.scene, row=row, targets=targets)
    return DrawnPair(prompt=row["caption"], source=picture, target=marks.marked(picture, row), made=made)


def control_pair(seed: int, index: int, level: LevelName, side: int) -> DrawnPair[Condition]:
    """A map of edges, depth or classes, in turn."""
    return pair_from_map(seed, index, level, side, CONTROL_KINDS[index % len(CONTROL_KINDS)])


def pair_from_map(seed: int, index: int, level: LevelName, side: int, kind: str) -> DrawnPair[Condition]:
    """A map of one of the ``CONTROL_KINDS``."""
    drawing = _drawing(seed, index, level, side)
    picture = drawing.rendering.picture
    if kind == "segmentation":
        condition = segmentation(drawing)
    else:
        grey = edges(picture, Thresholds()) if kind == "canny" else depth_map(drawing)
        condition = np.repeat(grey[..., None], 3, axis=2)
    made = Condition(drawing=drawing, kind=kind)
    return DrawnPair(prompt=drawing.captions[0], source=condition, target=picture, made=made)


def customized_pair(seed: int, index: int, level: LevelName, side: int) -> DrawnPair[SubjectPair]:
    """A subject's picture and the words of another scene with it."""
    made = subject_pair(seed, index, level)
    source, target = (render(scene, side, side).picture for scene in (made.first, made.second))
    return DrawnPair(prompt=made.second_words, source=source, target=target, made=made)


def editing_pair(seed: int, index: int, level: LevelName, side: int) -> DrawnPair[Edit]:
    """An edit of the kind whose turn it is."""
    made = edit_in_turn(seed, index, level)
    source, target = (render(scene, side, side).picture for scene in (made.before, made.after))
    return DrawnPair(prompt=made.instruction, source=source, target=target, made=made)


PAIRS: Mapping[str, Callable[[int, int, LevelName, int], DrawnPair[Any]]] = MappingProxyType(
    {
        "inpaint": inpaint_pair,
        "grounding": grounding_pair,
        "control": control_pair,
        "customized": customized_pair,
        "editing": editing_pair,
    }
)
"""``(seed, index, level, side)`` to a pair, by task: a pure function of them."""


def edit_in_turn(seed: int, index: int, level: LevelName) -> Edit:
    """Edit ``index``, of the kind whose turn it is, of the first of its scenes that allows it.

    Raises:
        RuntimeError: none of them does, of which no case is known.
    """
    kind = EDIT_KINDS[index % len(EDIT_KINDS)]
    scenes = (sample_scene(seed, index * _SCENES_PER_EDIT + attempt, level) for attempt in range(_SCENES_PER_EDIT))
    found = next((made for scene in scenes if (made := edit(scene, kind, seed)) is not None), None)
    if found is None:
        raise RuntimeError(f"no scene of seed {seed}, edit {index} allows {kind!r}: take another seed")
    return found


def _drawing(seed: int, index: int, level: LevelName, side: int) -> Drawing:
    return draw(World(num_scenes=_NUM_SCENES, width=side, height=side, seed=seed, level=level), index)


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
