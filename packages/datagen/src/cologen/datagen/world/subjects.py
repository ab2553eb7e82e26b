"""Subject pairs: the same object in two scenes that otherwise have nothing in common, with words for it in each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cologen.datagen.randomness import generator
from cologen.datagen.world.directions import PLACES
from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.datagen.world.nouns import Said, described, listed, sentence, with_article
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.plain_captions import plain_caption
from cologen.datagen.world.scene import Scene, level_key, place, sample_object, with_depths
from cologen.datagen.world.vocabulary import GROUNDS, SHAPES

_MAX_COMPANIONS = 3
_SUBJECT_SIZES = ("medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPair:
    """Two scenes with one subject: ``first.objects[first_index]`` and ``second.objects[second_index]``.

    Its shape, colour, texture, grain and scale are the same in both; place and turn are drawn anew, and the ground is
    another. ``item`` names it without an article; ``first_words`` and ``second_words`` tell what it does in each scene.
    At the levels with plain words both name its shape alone, so that the other picture has to be looked at.
    """

    first: Scene
    second: Scene
    first_index: int
    second_index: int
    item: str
    first_words: str
    second_words: str


def subject_pair(seed: int, index: int, level: LevelName = "rich") -> SubjectPair:
    """The pair at ``index`` of the endless series of ``(seed, level)``; the subject is in front: nothing hides it."""
    draw = generator(seed, "subject", index, *level_key(level))
    subject = _sample_subject(draw, grounds := _two_grounds(draw), level)
    keys = ["-".join(("subject", *level_key(level), f"{index:08d}", str(i))) for i in range(2)]
    scenes = [_scene_with(subject, seed, keys[i], grounds[i], level, draw) for i in range(2)]
    item = described(subject, _SAID if subject.texture == "plain" else replace(_SAID, texture=True))
    words = [_words(scene, item, draw) for scene in scenes]
    return SubjectPair(
        first=scenes[0],
        second=scenes[1],
        first_index=len(scenes[0].objects) - 1,
        second_index=len(scenes[1].objects) - 1,
        item=item,
        first_words=words[0],
        second_words=words[1],
    )


_SAID = Said(color=True)


def _two_grounds(draw: np.random.Generator) -> tuple[str, str]:
    first, second = draw.choice(len(GROUNDS), size=2, replace=False)
    return tuple(GROUNDS)[first], tuple(GROUNDS)[second]


def _sample_subject(draw: np.random.Generator, grounds: tuple[str, str], level: LevelName) -> SceneObject:
    """An object large enough to be recognised, of a colour that shows on both grounds."""
    while True:
        thing = sample_object(draw, grounds[0], level)
        if thing.size in _SUBJECT_SIZES and thing.color not in GROUNDS[grounds[1]].camouflages:
            return thing


def _scene_with(
    subject: SceneObject, seed: int, key: str, ground: str, level: LevelName, draw: np.random.Generator
) -> Scene:
    """The subject in front, turned anew, and up to three things of other shapes behind it."""
    kinds = LEVELS[level]
    turned = replace(subject, angle=draw.uniform(-1, 1) * SHAPES[subject.shape].tilt * kinds.tilt)
    front = place(turned, draw, level)
    assert front is not None, "an object always finds a place in an empty scene"
    behind: tuple[SceneObject, ...] = ()
    for _ in range(draw.integers(min(_MAX_COMPANIONS, kinds.max_objects - 1) + 1)):
        thing = sample_object(draw, ground, level, (*behind, front))
        fits = thing.shape != subject.shape
        found = place(thing, draw, level, behind=behind, before=(front,)) if fits else None
        behind = behind if found is None else (*behind, found)
    return Scene(seed=seed, key=key, ground=ground, objects=with_depths((*behind, front), draw), level=level)


def _words(scene: Scene, item: str, draw: np.random.Generator) -> str:
    *companions, subject = scene.objects
    if LEVELS[scene.level].plain_words:
        return plain_caption(scene, draw, tuple(reversed(range(len(scene.objects)))), shown=len(scene.objects) - 1)
    true_places = [phrase for name in PLACES.values() if name.degree(subject) > 0 for phrase in name.phrases]
    where = f" {true_places[draw.integers(len(true_places))]}" if true_places and draw.random() < 0.5 else ""
    verb = ("lies", "sits", "is", "can be seen")[draw.integers(4)]
    grounds = GROUNDS[scene.ground].places
    others = listed([with_article(described(thing, _SAID)) for thing in companions]) if companions else ""
    company = f", together with {others}" if others and draw.random() < 0.7 else ""
    return sentence(f"{with_article(item)} {verb}{where} {grounds[draw.integers(len(grounds))]}{company}")
