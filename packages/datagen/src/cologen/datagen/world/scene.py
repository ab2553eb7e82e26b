"""A scene: objects at places on a ground, drawn from ``(seed, index)`` and independent of any picture size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cologen.datagen.randomness import generator
from cologen.datagen.world.objects import SceneObject, full_mask, visible_masks
from cologen.datagen.world.outlines import outline
from cologen.datagen.world.vocabulary import COLORS, GROUNDS, SHAPES, SIZES, TEXTURES

MAX_OBJECTS = 6
MIN_VISIBLE = 0.35
"""The part of every object's area that is neither hidden nor outside the picture, at any size and side ratio."""

_NUM_OBJECTS_WEIGHTS = (0.10, 0.20, 0.25, 0.20, 0.15, 0.10)
_SIZE_WEIGHTS = (0.15, 0.30, 0.33, 0.22)
_SIZE_JITTER = 0.07
_TWIN_SHARE = 0.08
_EDGE_SHARE = 0.15
_PLACEMENT_TRIES = 40
_TWIN_DISTANCE = 0.2
_PROOF_SIZE, _PROOF_VISIBLE = 96, 0.45
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


def sample_scene(seed: int, index: int) -> Scene:
    """The scene at ``index`` of the endless series of ``seed``: 1 to 6 objects, each recognisable.

    An object that finds no free place in a full scene is left out.
    """
    draw = generator(seed, "scene", index)
    ground = tuple(GROUNDS)[draw.integers(len(GROUNDS))]
    placed: tuple[SceneObject, ...] = ()
    for thing in _sample_cast(draw, ground):
        found = place(thing, draw, behind=placed)
        placed = placed if found is None else (*placed, found)
    return Scene(seed=seed, key=f"{index:08d}", ground=ground, objects=with_depths(placed, draw))


def sample_object(draw: np.random.Generator, ground: str) -> SceneObject:
    """A thing that can be seen on the ground, in the middle of the picture until it is placed."""
    colors = [name for name in COLORS if name not in GROUNDS[ground].camouflages]
    shape = tuple(SHAPES)[draw.integers(len(SHAPES))]
    size = tuple(SIZES)[draw.choice(len(SIZES), p=_SIZE_WEIGHTS)]
    return SceneObject(
        shape=shape,
        color=colors[draw.integers(len(colors))],
        size=size,
        texture="plain" if draw.random() < 0.3 else tuple(TEXTURES)[draw.integers(len(TEXTURES))],
        x=0.5,
        y=0.5,
        scale=SIZES[size] * draw.uniform(1 - _SIZE_JITTER, 1 + _SIZE_JITTER),
        angle=draw.uniform(-1, 1) * SHAPES[shape].tilt,
        depth=0.5,
        grain=int(draw.integers(1 << 32)),
    )


def place(
    thing: SceneObject,
    draw: np.random.Generator,
    behind: Sequence[SceneObject] = (),
    before: Sequence[SceneObject] = (),
) -> SceneObject | None:
    """The thing at a random place between the others where everything stays clear; None if none is found."""
    for _ in range(_PLACEMENT_TRIES):
        # Now and then an object may reach beyond the picture's edge.
        margin = thing.scale * (0.5 if draw.random() < _EDGE_SHARE else 1.08)
        x, y = draw.uniform(margin, 1 - margin, size=2).tolist()
        candidate = replace(thing, x=x, y=y)
        if is_clear((*behind, candidate, *before)):
            return candidate
    return None


def is_clear(objects: Sequence[SceneObject]) -> bool:
    """Whether every object shows enough of itself, and similar ones are apart, so that words tell them."""
    if any(_are_mistaken(a, b) for i, a in enumerate(objects) for b in objects[:i]):
        return False
    if max(sum(_are_alike(a, b) for b in objects) for a in objects) > 2:
        return False
    if min(visible_fractions(objects, _PROOF_SIZE, _PROOF_SIZE)) < _PROOF_VISIBLE:
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


def _sample_cast(draw: np.random.Generator, ground: str) -> list[SceneObject]:
    """The scene's objects, larger ones mostly first and so behind; sometimes one equals another."""
    cast: list[SceneObject] = []
    for _ in range(1 + int(draw.choice(MAX_OBJECTS, p=_NUM_OBJECTS_WEIGHTS))):
        newcomer = sample_object(draw, ground)
        alone = [thing for thing in cast if sum(_are_alike(thing, other) for other in cast) == 1]
        if alone and draw.random() < _TWIN_SHARE:
            newcomer = replace(alone[draw.integers(len(alone))], angle=newcomer.angle)
        cast.append(newcomer)
    haste = draw.normal(0, 0.05, size=len(cast))
    return [cast[i] for i in np.argsort([haste[i] - thing.scale for i, thing in enumerate(cast)])]


def _are_mistaken(a: SceneObject, b: SceneObject) -> bool:
    """Whether two objects of one colour would run into each other, or two equal ones are too close to distinguish."""
    if a.color == b.color and (a.x - b.x) ** 2 + (a.y - b.y) ** 2 < (a.scale + b.scale) ** 2:
        return True
    return _are_alike(a, b) and max(abs(a.x - b.x), abs(a.y - b.y)) < _TWIN_DISTANCE


def _are_alike(a: SceneObject, b: SceneObject) -> bool:
    return (a.shape, a.color, a.size, a.texture) == (b.shape, b.color, b.size, b.texture)
