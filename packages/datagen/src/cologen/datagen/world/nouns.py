"""Noun phrases for one object: which attributes, in which order, with which article and number."""

from __future__ import annotations

from dataclasses import dataclass

from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.vocabulary import SHAPES, TEXTURES

SIZE_WORDS = {"tiny": ("tiny",), "small": ("small", "little"), "medium": ("medium-sized",), "large": ("large", "big")}
COUNT_WORDS = ("no", "one", "two", "three", "four", "five", "six")


@dataclass(frozen=True, slots=True)
class Said:
    """The attributes that are said of an object besides its shape; other ``synonym``s than 0 are for variety."""

    size: bool = False
    texture: bool = False
    color: bool = False
    synonym: int = 0


def described(thing: SceneObject, said: Said) -> str:
    """The object by some of its attributes, without an article: "striped ball", "large red ball"."""
    return " ".join((*adjectives(thing, said), thing.shape))


def adjectives(thing: SceneObject, said: Said) -> tuple[str, ...]:
    """Size, texture and colour, in this order, as far as they are said."""
    sizes, textures = SIZE_WORDS[thing.size], TEXTURES[thing.texture].adjectives
    size = (sizes[said.synonym % len(sizes)],) if said.size else ()
    texture = (textures[said.synonym % len(textures)],) if said.texture else ()
    return (*size, *texture, *((thing.color,) if said.color else ()))


def counted(things: list[SceneObject], said: Said) -> str:
    """Several objects that agree in shape and in all that is said: "two red balls"."""
    return " ".join((COUNT_WORDS[len(things)], *adjectives(things[0], said), SHAPES[things[0].shape].plural))


def with_article(words: str) -> str:
    """An indefinite article by the next letter's sound: "an orange ball"."""
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"


def listed(items: list[str]) -> str:
    """Joined by commas, with "and" before the last."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def sentence(words: str) -> str:
    """A capital at the start and a full stop at the end."""
    return f"{words[0].upper()}{words[1:]}."
