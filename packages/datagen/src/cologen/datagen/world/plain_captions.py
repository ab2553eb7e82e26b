"""Captions of the levels with plain words: the objects, where up to two of them are, and the ground, nothing else.

"a red ball on the left and a blue star, in the snow", or the ground first: "in the snow, a blue star and a red ball".
An object that is shown in another picture is told by its shape alone: "the ball on the left and a blue star".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cologen.datagen.world.directions import PLACES, SLACK
from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.nouns import Said, described, listed, with_article
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.scene import Scene
from cologen.datagen.world.vocabulary import GROUNDS

PLAIN_PLACES = ("left", "right", "top", "bottom", "middle")
"""The keys of ``PLACES`` that are said, each in its first wording. Every object is in one of them."""

_MAX_PLACES = 2
_PLACE_SHARE, _TEXTURE_SHARE, _SIZE_SHARE, _GROUND_FIRST_SHARE = 0.5, 0.7, 0.5, 0.2


def plain_caption(
    scene: Scene, draw: np.random.Generator, order: Sequence[int] | None = None, shown: int | None = None
) -> str:
    """One caption, its choices drawn; the objects come in this ``order`` of their indices, or in any.

    Of the object at index ``shown`` neither colour nor size nor texture is said: another picture tells them.
    """
    indices = draw.permutation(len(scene.objects)).tolist() if order is None else list(order)
    placed = {i for i in draw.permutation(indices)[:_MAX_PLACES].tolist() if draw.random() < _PLACE_SHARE}
    sizes = LEVELS[scene.level].said_sizes
    words = [
        (f"the {scene.objects[i].shape}" if i == shown else _named(scene.objects[i], draw, sizes))
        + (_where(scene.objects[i], draw) if i in placed else "")
        for i in indices
    ]
    grounds = GROUNDS[scene.ground].places
    ground = grounds[int(draw.integers(len(grounds)))]
    if draw.random() < _GROUND_FIRST_SHARE:
        return f"{ground}, {listed(words)}"
    return f"{listed(words)}{',' if placed else ''} {ground}"


def _named(thing: SceneObject, draw: np.random.Generator, sizes: tuple[str, ...]) -> str:
    said = Said(
        color=True,
        texture=bool(draw.random() < _TEXTURE_SHARE) and thing.texture != "plain",
        size=bool(draw.random() < _SIZE_SHARE) and thing.size in sizes,
    )
    return with_article(described(thing, said))


def _where(thing: SceneObject, draw: np.random.Generator) -> str:
    """A place that is clear to the eye, or the one that is clearest."""
    degrees = {name: PLACES[name].degree(thing) for name in PLAIN_PLACES}
    clear = [name for name, degree in degrees.items() if degree > SLACK] or [max(degrees, key=lambda at: degrees[at])]
    return f" {PLACES[clear[int(draw.integers(len(clear)))]].phrases[0]}"
