"""Edits of a scene: one object is changed, and the words say which and how; everything else stays as it was.

An edit keeps the scene's seed and key, hence its ground, and all other objects with their depths, so that the two
pictures differ only where the object was or is (``surfaces.reach``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from cologen.datagen.randomness import generator
from cologen.datagen.world.directions import PLACES, RELATIONS, SLACK
from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.nouns import Said, described, with_article
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.plain_captions import PLAIN_PLACES
from cologen.datagen.world.referring import referring_phrases
from cologen.datagen.world.scene import Scene, is_clear, place, sample_object
from cologen.datagen.world.vocabulary import GROUNDS

EditKind = Literal["recolor", "add", "remove", "replace", "move"]
EDIT_KINDS: tuple[EditKind, ...] = get_args(EditKind)

_TRIES = 30
_MIN_MOVE = 0.2
"""How far an object has to move along x or y, as a fraction of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A scene before and after, and the instruction between them.

    ``index`` is the object's place in ``before.objects``, and in ``after.objects`` for "add".
    """

    kind: EditKind
    before: Scene
    after: Scene
    instruction: str
    index: int


def sample_edit(scene: Scene, seed: int) -> Edit:
    """An edit of any kind that the scene allows."""
    order = generator(seed, "edit", scene.seed, scene.key).permutation(len(EDIT_KINDS))
    edits = (edit(scene, EDIT_KINDS[i], seed) for i in order)
    return next(found for found in edits if found is not None)


def edit(scene: Scene, kind: EditKind, seed: int) -> Edit | None:
    """An edit of this kind; None where the scene does not allow it (nothing may be removed from a scene of one)."""
    draw = generator(seed, "edit", scene.seed, scene.key, kind)
    attempts = (_ATTEMPTS[kind](scene, draw) for _ in range(_TRIES))
    return next((found for found in attempts if found is not None), None)


def _recolor(scene: Scene, draw: np.random.Generator) -> Edit | None:
    index, thing = _someone(scene, draw)
    hidden = GROUNDS[scene.ground].camouflages
    colors = LEVELS[scene.level].colors
    color = _pick(draw, tuple(name for name in colors if name != thing.color and name not in hidden))
    words = ("Make {it} {color}.", "Paint {it} {color}.", "Change the color of {it} to {color}.", "Turn {it} {color}.")
    instruction = _pick(draw, _wordings(scene, words)).format(it=_named(scene, index, draw), color=color)
    return _checked("recolor", scene, _with(scene, index, replace(thing, color=color)), instruction, index)


def _remove(scene: Scene, draw: np.random.Generator) -> Edit | None:
    if len(scene.objects) == 1:
        return None
    index, _ = _someone(scene, draw)
    words = ("Remove {it}.", "Take {it} away.", "Erase {it} from the picture.", "Delete {it}.", "Get rid of {it}.")
    instruction = _pick(draw, _wordings(scene, words)).format(it=_named(scene, index, draw))
    rest = scene.objects[:index] + scene.objects[index + 1 :]
    return _checked("remove", scene, replace(scene, objects=rest), instruction, index)


def _replace(scene: Scene, draw: np.random.Generator) -> Edit | None:
    index, thing = _someone(scene, draw)
    rest = scene.objects[:index] + scene.objects[index + 1 :]
    other = sample_object(draw, scene.ground, scene.level, rest)
    if other.shape == thing.shape:
        return None
    other = replace(other, x=thing.x, y=thing.y, size=thing.size, scale=thing.scale, depth=thing.depth)
    words = ("Replace {it} with {new}.", "Swap {it} for {new}.", "Put {new} in the place of {it}.")
    instruction = _pick(draw, _wordings(scene, words)).format(
        it=_named(scene, index, draw), new=_introduced(other, Said(color=True))
    )
    return _checked("replace", scene, _with(scene, index, other), instruction, index)


def _add(scene: Scene, draw: np.random.Generator) -> Edit | None:
    if len(scene.objects) == LEVELS[scene.level].max_objects:
        return None
    nearest = min(thing.depth for thing in scene.objects)
    new = replace(sample_object(draw, scene.ground, scene.level, scene.objects), depth=nearest * 0.7)
    new = place(new, draw, scene.level, behind=scene.objects)
    if new is None or not (wheres := _wheres(scene, new)):
        return None
    words = ("Add {new} {where}.", "Put {new} {where}.", "Place {new} {where}.", "Draw {new} {where}.")
    said = Said(size=new.size != "medium" and new.size in LEVELS[scene.level].said_sizes, color=True)
    instruction = _pick(draw, _wordings(scene, words)).format(new=_introduced(new, said), where=_pick(draw, wheres))
    return _checked("add", scene, replace(scene, objects=(*scene.objects, new)), instruction, len(scene.objects))


def _move(scene: Scene, draw: np.random.Generator) -> Edit | None:
    index, thing = _someone(scene, draw)
    behind, before = scene.objects[:index], scene.objects[index + 1 :]
    moved = place(thing, draw, scene.level, behind=behind, before=before)
    if moved is None or max(abs(moved.x - thing.x), abs(moved.y - thing.y)) < _MIN_MOVE:
        return None
    others = replace(scene, objects=behind + before)
    was_true = _wheres(others, thing, -SLACK)
    wheres = tuple(where for where in _wheres(others, moved) if where not in was_true)
    if not wheres:
        return None
    words = ("Move {it} so that it is {where}.", "Move {it}; it should be {where}.", "Shift {it} until it is {where}.")
    instruction = _pick(draw, _wordings(scene, words)).format(it=_named(scene, index, draw), where=_pick(draw, wheres))
    return _checked("move", scene, _with(scene, index, moved), instruction, index)


_ATTEMPTS: dict[EditKind, Callable[[Scene, np.random.Generator], Edit | None]] = {
    "recolor": _recolor,
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
}


def _checked(kind: EditKind, before: Scene, after: Scene, instruction: str, index: int) -> Edit | None:
    """The edit, if everything is still clear after it."""
    if not is_clear(after.objects, after.level):
        return None
    return Edit(kind=kind, before=before, after=after, instruction=instruction, index=index)


def _wheres(scene: Scene, thing: SceneObject, at_least: float = SLACK) -> tuple[str, ...]:
    """Phrases for where the thing is, in the picture and from the scene's objects, true to the given degree."""
    plain = LEVELS[scene.level].plain_words
    places = [PLACES[name] for name in (PLAIN_PLACES if plain else PLACES)]
    found = [place.phrases[0] for place in places if place.degree(thing) > at_least]
    if plain:
        return tuple(found)
    for index, anchor in enumerate(scene.objects):
        name = referring_phrases(scene, index)[0]
        relations = (relation for relation in RELATIONS.values() if relation.degree(thing, anchor) > at_least)
        found += [f"{relation.phrases[0]} {name}" for relation in relations]
    return tuple(found)


def _named(scene: Scene, index: int, draw: np.random.Generator) -> str:
    return _pick(draw, referring_phrases(scene, index))


def _introduced(thing: SceneObject, said: Said) -> str:
    return with_article(described(thing, replace(said, texture=thing.texture != "plain")))


def _someone(scene: Scene, draw: np.random.Generator) -> tuple[int, SceneObject]:
    index = int(draw.integers(len(scene.objects)))
    return index, scene.objects[index]


def _with(scene: Scene, index: int, thing: SceneObject) -> Scene:
    return replace(scene, objects=(*scene.objects[:index], thing, *scene.objects[index + 1 :]))


def _wordings(scene: Scene, words: tuple[str, ...]) -> tuple[str, ...]:
    """Those of an instruction that the scene's level uses."""
    return words[:1] if LEVELS[scene.level].plain_words else words


def _pick(draw: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(draw.integers(len(options)))]
