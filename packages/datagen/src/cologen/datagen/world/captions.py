"""Captions of a scene: sentences built from parts with several wordings each.

A caption need not say everything, but all it says is true, at every picture size and side ratio.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cologen.datagen.randomness import generator
from cologen.datagen.world.directions import PLACES, RELATIONS
from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.nouns import COUNT_WORDS, Said, counted, described, listed, sentence, with_article
from cologen.datagen.world.objects import SceneObject, full_mask
from cologen.datagen.world.plain_captions import plain_caption
from cologen.datagen.world.scene import Scene
from cologen.datagen.world.vocabulary import GROUNDS, TEXTURES

MAX_CAPTIONS, MAX_PLAIN_CAPTIONS = 50, 8
_NARROW_AND_WIDE = ((48, 96), (48, 48), (96, 48))


def captions(scene: Scene, num: int) -> tuple[str, ...]:
    """``num`` distinct captions of the scene, the same ones each time.

    Raises:
        ValueError: more are asked for than every scene is sure to have.
    """
    plain = LEVELS[scene.level].plain_words
    limit = MAX_PLAIN_CAPTIONS if plain else MAX_CAPTIONS
    if num > limit:
        raise ValueError(f"a scene has up to {limit} captions, asked for {num}")
    said: dict[str, None] = {}
    attempts = itertools.count()
    while len(said) < num:
        draw = generator(scene.seed, "caption", scene.key, next(attempts))
        said[plain_caption(scene, draw) if plain else _Speaker(scene, draw).caption()] = None
    return tuple(said)


@dataclass(frozen=True, slots=True)
class _Speaker:
    """One caption in the making: the scene and the choices still to be drawn."""

    scene: Scene
    draw: np.random.Generator

    def caption(self) -> str:
        """One of the forms, drawn by weight."""
        forms: list[tuple[float, Callable[[], str]]] = [
            (3, self._existence),
            (2, self._title),
            (2, self._place_first),
            (2, self._picture_of),
            (1, self._count),
            (1, self._prompt),
            (1.5, lambda: sentence(self._whereabouts())),
            (2, self._two_sentences),
        ]
        if self._are_many():
            forms.append((2.5, lambda: sentence(self._related())))
            forms.append((0.5, lambda: sentence(self._compared())))
        weights = np.array([weight for weight, _ in forms])
        return forms[int(self.draw.choice(len(forms), p=weights / weights.sum()))][1]()

    def pick(self, options: Sequence[str]) -> str:
        """One of the options, equally likely."""
        return options[int(self.draw.integers(len(options)))]

    def perhaps(self, words: str, chance: float = 0.5) -> str:
        """The words, or nothing."""
        return words if self.draw.random() < chance else ""

    # Whole captions.

    def _existence(self) -> str:
        things = self._everything()
        if self.draw.random() < 0.5:
            return sentence(f"there {'are' if _begins_in_plural(things) else 'is'} {things} {self._ground()}")
        verb = self.pick(("are", "can be seen", "appear") if self._are_many() else ("is", "can be seen", "appears"))
        return sentence(f"{things} {verb} {self._ground()}")

    def _title(self) -> str:
        return sentence(f"{self._everything()} {self._ground()}").rstrip(self.pick((".", "")))

    def _place_first(self) -> str:
        things = self._everything()
        verb = self.pick(("there are" if _begins_in_plural(things) else "there is", "we see", "you can see"))
        return sentence(f"{self._ground()}{self.perhaps(',')} {verb} {things}")

    def _picture_of(self) -> str:
        kind = self.pick(("a picture", "an image", "an illustration", "a colorful scene"))
        return sentence(f"{kind} {self.pick(('of', 'with', 'showing'))} {self._everything()} {self._ground()}")

    def _count(self) -> str:
        noun = self.pick(("object", "thing", "item"))
        if self._are_many():
            count = f"{COUNT_WORDS[len(self.scene.objects)]} {noun}s {self.pick(('lie', 'are placed', 'are'))}"
        else:
            count = f"{self.pick(('a single', 'only one', 'one'))} {noun} {self.pick(('lies', 'is placed', 'is'))}"
        return sentence(f"{count} {self._ground()}{self.pick((':', ', namely'))} {self._everything()}")

    def _prompt(self) -> str:
        things = [described(thing, self._said(thing)) for thing in self.scene.objects]
        style = self.pick(("soft shadows", "digital art", "bright colors", "clean composition", "3d style"))
        end = self.perhaps(f", {self.pick(('high detail', 'soft light', 'playful', 'sharp focus'))}")
        return f"{', '.join(things)}, {self._ground()}, {style}{end}"

    def _two_sentences(self) -> str:
        opening = self.pick((self._existence(), self._picture_of(), self._place_first()))
        return f"{opening} {sentence(self._detail())}"

    # Clauses, without capital and full stop.

    def _detail(self) -> str:
        options = [self._whereabouts(definite=True), self._looks()]
        if self._are_many():
            options += [self._related(definite=True), self._compared()]
        return self.pick(options)

    def _whereabouts(self, definite: bool = False) -> str:
        """One object and the part of the picture it is in."""
        thing = self._someone()
        places = [place for place in PLACES.values() if place.degree(thing) > 0]
        subject = self._named(thing, definite)
        if not places:
            return f"{subject} {self.pick(('is', 'lies'))} {self._ground()}"
        where = self.pick(places[int(self.draw.integers(len(places)))].phrases)
        ground = self.perhaps(f" {self._ground()}", 0.0 if definite else 0.7)
        return self.pick((f"{subject} {self.pick(('is', 'sits', 'lies'))} {where}{ground}", f"{where} is {subject}"))

    def _looks(self) -> str:
        thing = self._someone()
        texture = TEXTURES[thing.texture]
        looks = [f"is {thing.color}", f"is {self.pick(('painted', 'colored'))} {thing.color}"]
        if texture.afterthoughts:
            looks += [f"is {self.pick(texture.adjectives)}", f"is decorated {texture.afterthoughts[0]}"]
        return f"{self._named(thing, definite=True, said=Said(size=len(self.scene.objects) > 2))} {self.pick(looks)}"

    def _related(self, definite: bool = False) -> str:
        """Two objects, one before the other or beside it."""
        first, second = self._two()
        facts = [relation for relation in RELATIONS.values() if relation.degree(first, second) > 0]
        subject, other = self._named(first, definite), self._named(second, definite)
        if _covers(first, second):
            return f"{subject} {self.pick(('partly covers', 'is in front of', 'overlaps', 'partly hides'))} {other}"
        if not facts:
            return f"{subject} {self.pick(('shares the picture with', 'appears together with'))} {other}"
        how = self.pick(facts[int(self.draw.integers(len(facts)))].phrases)
        return f"{subject} {self.pick(('is', 'lies', 'is placed'))} {how} {other}{self.perhaps(f' {self._ground()}')}"

    def _compared(self) -> str:
        first, second = self._two()
        if first.size == second.size:
            same = self.pick(("is about as large as", "has about the size of"))
            return f"{self._named(first, True)} {same} {self._named(second, True)}"
        bigger = self.pick(("is larger than", "is bigger than"))
        how = bigger if first.scale > second.scale else self.pick(("is smaller than", "is not as big as"))
        return f"{self._named(first, True)} {how} {self._named(second, True)}"

    # Parts of clauses.

    def _are_many(self) -> bool:
        return len(self.scene.objects) > 1

    def _ground(self) -> str:
        return self.pick(GROUNDS[self.scene.ground].places)

    def _someone(self) -> SceneObject:
        return self.scene.objects[int(self.draw.integers(len(self.scene.objects)))]

    def _two(self) -> tuple[SceneObject, SceneObject]:
        i, j = self.draw.permutation(len(self.scene.objects))[:2]
        return self.scene.objects[i], self.scene.objects[j]

    def _said(self, thing: SceneObject) -> Said:
        return Said(
            size=bool(self.draw.random() < (0.05 if thing.size == "medium" else 0.35)),
            texture=bool(self.draw.random() < 0.5 and thing.texture != "plain"),
            color=bool(self.draw.random() < 0.8),
            synonym=int(self.draw.integers(2)),
        )

    def _named(self, thing: SceneObject, definite: bool, said: Said | None = None) -> str:
        """The object with an article; definite only where these words could not mean another one."""
        chosen = said or self._said(thing)
        words = described(thing, chosen)
        rivals = sum(described(other, chosen) == words for other in self.scene.objects)
        return f"the {words}" if definite and rivals == 1 else self._with_afterthought(thing, words, chosen)

    def _with_afterthought(self, thing: SceneObject, words: str, said: Said) -> str:
        afterthoughts = TEXTURES[thing.texture].afterthoughts
        if said.texture or not afterthoughts or self.draw.random() < 0.75:
            return with_article(words)
        return f"{with_article(words)} {self.pick(afterthoughts)}"

    def _everything(self) -> str:
        """All objects in any order, those of one kind together: "a red ball, two gray stars and a leaf"."""
        by_color = self.draw.random() < 0.6
        groups: dict[tuple[str, str], list[SceneObject]] = {}
        for i in self.draw.permutation(len(self.scene.objects)):
            thing = self.scene.objects[i]
            groups.setdefault((thing.shape, thing.color if by_color else ""), []).append(thing)
        return listed([words for group in groups.values() for words in self._group(group)])

    def _group(self, group: list[SceneObject]) -> list[str]:
        """Objects of one shape, in one phrase where they are one or two or of one colour."""
        colors = {thing.color for thing in group}
        if len(group) > 1 and len(colors) == 1:
            return [counted(group, Said(color=True))]
        if len(group) == 2:
            first, second = group
            return [f"{with_article(first.color)} and {with_article(second.color)} {second.shape}"]
        return [self._named(thing, definite=False) for thing in group]


def _begins_in_plural(things: str) -> bool:
    """Whether a list begins with several objects: "two red balls and a star", but not "a ball and two stars"."""
    return things.split()[0] in COUNT_WORDS


def _covers(front: SceneObject, back: SceneObject) -> bool:
    """Whether one lies before the other and over it, in narrow pictures and in wide ones."""
    if front.depth >= back.depth:
        return False
    return all(bool((full_mask(front, *size) & full_mask(back, *size)).any()) for size in _NARROW_AND_WIDE)
