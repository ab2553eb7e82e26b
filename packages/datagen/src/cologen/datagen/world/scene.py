"""A scene: objects at places on a ground, drawn from ``(seed, index)`` and independent of any picture size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cologen.datagen.randomness import generator
from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.datagen.world.objects import SceneObject, full_mask, visible_masks
from cologen.datagen.world.outlines import outline
from cologen.datagen.world.vocabulary import GROUNDS, SHAPES

MIN_VISIBLE = 0.35
"""The part of every object's area that is neither hidden nor outside the picture, at any level, size and side ratio."""

_PLACEMENT_TRIES = 40
_TWIN_DISTANCE = 0.2
_PROOF_SIZE = 96
_SMALLEST_SIZE, _SMALLEST_PIXELS = 32, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Objects from back to front on a ground, a key of ``vocabulary.GROUNDS``.

    ``(seed, key)`` names the scene and seeds the ground's grain, so a scene with an object changed keeps its ground.
    """

    seed: int
    key: str
    ground: str
    objects: tuple[SceneObject, ...]
    level: LevelName = "rich"


def sample_scene(seed: int, index: int, level: LevelName = "rich") -> Scene:
    """The scene at ``index`` of the endless series of ``(seed, level)``, each of its objects recognisable.

    An object that finds no free place in a full scene is left out.
    """
    draw = generator(seed, "scene", index, *level_key(level))
    ground = tuple(GROUNDS)[draw.integers(len(GROUNDS))]
    placed: tuple[SceneObject, ...] = ()
    for thing in _sample_cast(draw, ground, level):
        found = place(thing, draw, level, behind=placed)
        placed = placed if found is None else (*placed, found)
    key = "-".join((*level_key(level), f"{index:08d}"))
    return Scene(seed=seed, key=key, ground=ground, objects=with_depths(placed, draw), level=level)


def sample_object(
    draw: np.random.Generator, ground: str, level: LevelName, besides: Sequence[SceneObject] = ()
) -> SceneObject:
    """A thing that can be seen on the ground, in the middle of the picture until it is placed.

    At a level of distinct objects it shares neither shape nor colour with those it is ``besides``.
    """
    kinds = LEVELS[level]
    taken = {word for other in besides for word in (other.shape, other.color)} if kinds.distinct else set[str]()
    shapes = [name for name in kinds.shapes if name not in taken]
    colors = [name for name in kinds.colors if name not in GROUNDS[ground].camouflages | taken]
    shape = shapes[draw.integers(len(shapes))]
    size = tuple(kinds.sizes)[draw.choice(len(kinds.sizes), p=kinds.size_weights)]
    return SceneObject(
        shape=shape,
        color=colors[draw.integers(len(colors))],
        size=size,
        texture="plain" if draw.random() < kinds.plain_share else kinds.textures[draw.integers(len(kinds.textures))],
        x=0.5,
        y=0.5,
        scale=kinds.sizes[size] * draw.uniform(1 - kinds.size_jitter, 1 + kinds.size_jitter),
        angle=draw.uniform(-1, 1) * SHAPES[shape].tilt * kinds.tilt,
        depth=0.5,
        grain=int(draw.integers(1 << 32)),
    )


def place(
    thing: SceneObject,
    draw: np.random.Generator,
    level: LevelName,
    behind: Sequence[SceneObject] = (),
    before: Sequence[SceneObject] = (),
) -> SceneObject | None:
    """The thing at a random place between the others where everything stays clear; None if none is found."""
    kinds = LEVELS[level]
    for _ in range(_PLACEMENT_TRIES):
        # Now and then an object may reach beyond the picture's edge.
        margin = thing.scale * (0.5 if draw.random() < kinds.edge_share else 1.08)
        x, y = (draw.choice(kinds.grid, size=2) if kinds.grid else draw.uniform(margin, 1 - margin, size=2)).tolist()
        candidate = replace(thing, x=x, y=y)
        if is_clear((*behind, candidate, *before), level):
            return candidate
    return None


def is_clear(objects: Sequence[SceneObject], level: LevelName) -> bool:
    """Whether every object shows enough of itself, and similar ones are apart, so that words tell them."""
    pairs = [(a, b) for i, a in enumerate(objects) for b in objects[:i]]
    if LEVELS[level].distinct and any(a.shape == b.shape or a.color == b.color for a, b in pairs):
        return False
    if any(_are_mistaken(a, b) for a, b in pairs):
        return False
    if max(sum(_are_alike(a, b) for b in objects) for a in objects) > 2:
        return False
    if min(visible_fractions(objects, _PROOF_SIZE, _PROOF_SIZE)) < LEVELS[level].min_visible:
        return False
    small = visible_masks([full_mask(thing, _SMALLEST_SIZE, _SMALLEST_SIZE) for thing in objects])
    return min(int(mask.sum()) for mask in small) >= _SMALLEST_PIXELS


def visible_fractions(objects: Sequence[SceneObject], width: int, height: int) -> tuple[float, ...]:
    """Of each object the share of its area that is seen in a picture of ``width × height`` pixels, about [0, 1]."""
    visible = visible_masks([full_mask(thing, width, height) for thing in objects])
    radii = [thing.scale * min(width, height) for thing in objects]
    return tuple(
        float(mask.sum()) / (outline(thing.shape).area * radius**2)
        for mask, thing, radius in zip(visible, objects, radii, strict=True)
    )


def with_depths(objects: Sequence[SceneObject], draw: np.random.Generator) -> tuple[SceneObject, ...]:
    """Depths from 0.65 down to 0.15, back to front, at least a twentieth apart."""
    steps = (np.arange(len(objects)) + 0.5 + draw.uniform(-0.15, 0.15, size=len(objects))) / max(len(objects), 1)
    return tuple(replace(thing, depth=0.65 - 0.5 * float(step)) for thing, step in zip(objects, steps, strict=True))


def _sample_cast(draw: np.random.Generator, ground: str, level: LevelName) -> list[SceneObject]:
    """The scene's objects, larger ones mostly first and so behind; sometimes one equals another."""
    cast, kinds = list[SceneObject](), LEVELS[level]
    for _ in range(1 + int(draw.choice(kinds.max_objects, p=kinds.num_objects_weights))):
        newcomer = sample_object(draw, ground, level, cast)
        alone = [thing for thing in cast if sum(_are_alike(thing, other) for other in cast) == 1]
        if alone and draw.random() < kinds.twin_share:
            newcomer = replace(alone[draw.integers(len(alone))], angle=newcomer.angle)
        cast.append(newcomer)
    haste = draw.normal(0, 0.05, size=len(cast))
    return [cast[i] for i in np.argsort([haste[i] - thing.scale for i, thing in enumerate(cast)])]


def level_key(level: LevelName) -> tuple[str, ...]:
    """What a level adds to the keys of randomness: nothing for the richest, whose scenes are older than levels."""
    return () if level == "rich" else (level,)


def _are_mistaken(a: SceneObject, b: SceneObject) -> bool:
    """Whether two objects of one colour would run into each other, or two equal ones are too close to distinguish."""
    if a.color == b.color and (a.x - b.x) ** 2 + (a.y - b.y) ** 2 < (a.scale + b.scale) ** 2:
        return True
    return _are_alike(a, b) and max(abs(a.x - b.x), abs(a.y - b.y)) < _TWIN_DISTANCE


def _are_alike(a: SceneObject, b: SceneObject) -> bool:
    return (a.shape, a.color, a.size, a.texture) == (b.shape, b.color, b.size, b.texture)
