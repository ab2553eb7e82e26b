"""Phrases that refer to exactly one object of a scene. Each has its predicate, so uniqueness is checked.

A phrase is unique if exactly one object satisfies its meaning, read narrowly or generously by ``directions.SLACK``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cologen.datagen.world.directions import PLACES, RELATIONS, SLACK
from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.nouns import Said, described
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.plain_captions import PLAIN_PLACES
from cologen.datagen.world.scene import Scene

EXTREMES: Mapping[str, Callable[[SceneObject], float]] = MappingProxyType(
    {
        "leftmost": lambda thing: -thing.x,
        "rightmost": lambda thing: thing.x,
        "topmost": lambda thing: -thing.y,
        "lowest": lambda thing: thing.y,
        # Halved, so that a slack of 0.05 asks for a tenth more in size.
        "largest": lambda thing: math.log(thing.scale) / 2,
        "smallest": lambda thing: -math.log(thing.scale) / 2,
    }
)
"""Superlatives: the object of which the value is largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a phrase says of its object; None is unsaid.

    ``extreme`` picks among those of the said attributes; ``place`` is a key of ``PLACES``; ``relation`` a key of
    ``RELATIONS`` with the meaning of the other object, which has to be unique itself.
    """

    shape: str | None = None
    size: str | None = None
    texture: str | None = None
    color: str | None = None
    extreme: str | None = None
    place: str | None = None
    relation: tuple[str, Meaning] | None = None

    def satisfied_by(self, scene: Scene, slack: float = 0.0) -> tuple[int, ...]:
        """The indices of the objects of which it is true, within ``slack`` of being so."""
        said = {"shape": self.shape, "size": self.size, "texture": self.texture, "color": self.color}
        wanted = [(name, word) for name, word in said.items() if word is not None]
        found = [i for i, it in enumerate(scene.objects) if all(getattr(it, name) == word for name, word in wanted)]
        if self.place is not None:
            degree = PLACES[self.place].degree
            found = [i for i in found if degree(scene.objects[i]) > -slack]
        if self.relation is not None:
            name, other = self.relation
            (anchor,) = other.satisfied_by(scene)
            related = RELATIONS[name].degree
            things = scene.objects
            found = [i for i in found if i != anchor and related(things[i], things[anchor]) > -slack]
        if self.extreme is not None:
            values = {i: EXTREMES[self.extreme](scene.objects[i]) for i in found}
            found = [i for i in found if values[i] >= max(values.values()) - max(slack, 0)]
        return tuple(found)

    def means(self, scene: Scene, index: int) -> bool:
        """Whether it means this object and no other, read plainly, generously and narrowly."""
        return all(self.satisfied_by(scene, slack) == (index,) for slack in (0.0, SLACK, -SLACK))


@dataclass(frozen=True, slots=True)
class Referral:
    """A phrase with its article, "the red ball on the left", and what it means."""

    phrase: str
    meaning: Meaning


_SAID = (
    Said(),
    Said(color=True),
    Said(texture=True),
    Said(size=True),
    Said(texture=True, color=True),
    Said(size=True, color=True),
    Said(size=True, texture=True),
    Said(size=True, texture=True, color=True),
)
"""What may be said, fewest words first."""

_PLACE_PHRASES = {name: place.phrases for name, place in PLACES.items()}

_BRIEF = _SAID[:2]
"""What is said beside a place or a relation."""


def referring_phrases(scene: Scene, index: int) -> tuple[str, ...]:
    """Phrases that mean the object at ``index`` alone: by attributes, superlatives, places, then relations."""
    return tuple(referral.phrase for referral in referrals(scene, index))


def referrals(scene: Scene, index: int) -> tuple[Referral, ...]:
    """As ``referring_phrases``, with the meanings."""
    return tuple(referral for referral in _candidates(scene, index) if referral.meaning.means(scene, index))


def _candidates(scene: Scene, index: int) -> Iterator[Referral]:
    thing = scene.objects[index]
    plain = LEVELS[scene.level].plain_words
    contrasts = sum(other.shape == thing.shape for other in scene.objects) > 1
    worth_saying = [said for said in _SAID if contrasts or thing.texture != "plain" or not said.texture]
    if thing.size not in LEVELS[scene.level].said_sizes:
        worth_saying = [said for said in worth_saying if not said.size]
    yield from (Referral(f"the {described(thing, said)}", _meaning(thing, said)) for said in worth_saying)
    if len(scene.objects) > 1:
        yield Referral(f"the {thing.color} object", Meaning(color=thing.color))
    if len(scene.objects) > 1 and not plain:
        yield from (Referral(f"the {name} object", Meaning(extreme=name)) for name in EXTREMES)
    anchors = [] if plain else _anchors(scene, index)
    places = {name: PLACES[name].phrases[:1] for name in PLAIN_PLACES} if plain else _PLACE_PHRASES
    for said in _BRIEF:
        words, meaning = described(thing, said), _meaning(thing, said)
        if len(meaning.satisfied_by(scene)) > 1 and not plain:
            yield from (Referral(f"the {name} {words}", replace(meaning, extreme=name)) for name in EXTREMES)
        for name, phrases in places.items():
            yield from (Referral(f"the {words} {where}", replace(meaning, place=name)) for where in phrases)
        for anchor in anchors:
            for name, relation in RELATIONS.items():
                related = replace(meaning, relation=(name, anchor.meaning))
                yield from (Referral(f"the {words} {how} {anchor.phrase}", related) for how in relation.phrases)


def _anchors(scene: Scene, index: int) -> list[Referral]:
    """The other objects that attributes alone can tell, each by the fewest."""
    found: list[Referral] = []
    for other, anchor in enumerate(scene.objects):
        named = (Referral(f"the {described(anchor, said)}", _meaning(anchor, said)) for said in _SAID)
        unique = next((referral for referral in named if referral.meaning.satisfied_by(scene) == (other,)), None)
        if other != index and unique is not None:
            found.append(unique)
    return found


def _meaning(thing: SceneObject, said: Said) -> Meaning:
    return Meaning(
        shape=thing.shape,
        size=thing.size if said.size else None,
        texture=thing.texture if said.texture else None,
        color=thing.color if said.color else None,
    )
