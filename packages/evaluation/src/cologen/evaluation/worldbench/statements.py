"""What a plain caption says, as a record: its objects, where they are, and the ground.

    "a small red ball on the left and a blue star, in the snow"
    objects  small red ball at "left", blue star      ground  snow

    "the ball on the left and a blue star, in the snow", of a subject that another picture shows
    objects  ball of any colour at "left", blue star  ground  snow

Plain captions (``world.plain_captions``) are regular, so whatever does not parse is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cologen.datagen.world.directions import PLACES
from cologen.datagen.world.nouns import SIZE_WORDS
from cologen.datagen.world.plain_captions import PLAIN_PLACES
from cologen.datagen.world.vocabulary import COLORS, GROUNDS, SHAPES, TEXTURES


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedObject:
    """What is said of one object; None is unsaid. ``place`` is a key of ``directions.PLACES``."""

    shape: str
    color: str | None = None
    size: str | None = None
    texture: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """All that a caption says; plain captions name every object and the ground."""

    objects: tuple[StatedObject, ...]
    ground: str


_PLACE_WORDS = {PLACES[name].phrases[0]: name for name in PLAIN_PLACES}
_GROUND_WORDS = {phrase: name for name, ground in GROUNDS.items() for phrase in ground.places}
_SIZE_OF_WORD = {word: size for size, words in SIZE_WORDS.items() for word in words}
_TEXTURE_OF_WORD = {word: name for name, texture in TEXTURES.items() for word in texture.adjectives}


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_OBJECT = re.compile(
    rf"(?:the|an? (?:(?P<size>{_any(_SIZE_OF_WORD)}) )?(?:(?P<texture>{_any(_TEXTURE_OF_WORD)}) )?"
    rf"(?P<color>{_any(COLORS)})) (?P<shape>{_any(SHAPES)})(?: (?P<place>{_any(_PLACE_WORDS)}))?"
)
_FIRST = re.compile(rf"(?P<ground>{_any(_GROUND_WORDS)}), (?P<objects>.+)")
_LAST = re.compile(rf"(?P<objects>.+?),? (?P<ground>{_any(_GROUND_WORDS)})")


def statements(caption: str) -> Statements:
    """The statements of a caption of a level with plain words.

    Raises:
        ValueError: it is no such caption.
    """
    parts = _FIRST.fullmatch(caption) or _LAST.fullmatch(caption)
    if parts is None:
        raise ValueError(f"expected a plain caption that names a ground, got {caption!r}")
    words = re.split(r", | and ", parts["objects"])
    return Statements(objects=tuple(_stated(each, caption) for each in words), ground=_GROUND_WORDS[parts["ground"]])


def stated_place(instruction: str) -> str | None:
    """The key of ``PLACES`` of the place that a plain instruction names, "Move the ball so that it is at the top."

    None where it ends without one.
    """
    ended = instruction.removesuffix(".")
    return next((name for words, name in _PLACE_WORDS.items() if ended.endswith(f" {words}")), None)


def _stated(words: str, caption: str) -> StatedObject:
    found = _OBJECT.fullmatch(words)
    if found is None:
        raise ValueError(f"expected an object such as 'a red ball on the left', got {words!r} in {caption!r}")
    return StatedObject(
        shape=found["shape"],
        color=found["color"],
        size=_SIZE_OF_WORD.get(found["size"]),
        texture=_TEXTURE_OF_WORD.get(found["texture"]),
        place=_PLACE_WORDS.get(found["place"]),
    )
