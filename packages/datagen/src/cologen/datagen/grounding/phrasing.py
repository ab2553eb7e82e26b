"""Instruction texts: a phrase for the objects, a mark and its colour, combined by many templates.

Negative samples use the same words as all others; otherwise the words would show that nothing is to be marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cologen.datagen.grounding import nouns
from cologen.datagen.grounding.expressions import DETERMINERS, as_noun_phrase
from cologen.datagen.grounding.nouns import with_article
from cologen.datagen.grounding.policy import Referring

Form = Literal["expression", "the", "all", "any"]
"""How objects are named: by an annotator's words, as the only one of a class, as the class, or as any one of it."""


_ALL = ("all {many}", "all the {many}", "every {one}", "each {one}", "all of the {many}", "every single {one}")
_ANY = ("{a_one}", "any {one}", "one {one}", "a single {one}", "just one {one}")
_ANY_OF_SEVERAL = (*_ANY, "one of the {many}", "any one of the {many}", "any of the {many}")

_BOXES = (("box", "boxes"), ("bounding box", "bounding boxes"), ("rectangle", "rectangles"), ("frame", "frames"))
_COVERS = ("mask", "overlay", "translucent layer", "see-through layer", "tint")

_BOX = (
    "Draw {mark} around {phrase}.",
    "Put {mark} around {phrase}.",
    "Please place {mark} around {phrase}.",
    "Enclose {phrase} in {mark}.",
    "Surround {phrase} with {mark}.",
    "Mark {phrase} with {mark}.",
    "Outline {phrase} with {mark}.",
    "Point out {phrase} using {mark}.",
    "Add {mark} to show where to find {phrase}.",
    "Show the position of {phrase} with {mark}.",
    "Localize {phrase} with {mark}.",
    "Detect {phrase} and draw {mark}.",
    "Find {phrase} in the image and add {mark}.",
    "Can you draw {mark} around {phrase}?",
    "Where in the picture would you find {phrase}? Answer with {mark}.",
    "With {mark}, indicate {phrase}.",
)
_INSTANCE = (
    "Draw {mark} around {phrase}.",
    "Put {mark} around {phrase}.",
    "Choose {phrase} and draw {mark}.",
    "Pick {phrase} and add {mark}.",
    "Select {phrase} with {mark}.",
    "Single out {phrase} with {mark}.",
    "Enclose {phrase} in {mark}.",
    "Surround {phrase} with {mark}.",
    "Mark {phrase} with {mark}.",
    "Outline {phrase} with {mark}, and nothing else.",
    "Find {phrase} in the image and add {mark}.",
    "Detect {phrase} and leave the rest of the image unmarked, using {mark}.",
    "Place {mark} around {phrase}, whichever you like.",
    "Show me {phrase} with {mark}.",
    "Give me an example: {mark} around {phrase}.",
)
_MASK = (
    "Cover {phrase} with {mark}.",
    "Mark the pixels of {phrase} with {mark}.",
    "Mark the pixels of {phrase} in {color} and leave the rest unchanged.",
    "Highlight {phrase} in {color}.",
    "Shade {phrase} in {color}.",
    "Segment {phrase} with {mark}.",
    "Segment {phrase} in {color}.",
    "Lay {mark} over {phrase}.",
    "Put {mark} on {phrase}.",
    "Overlay {phrase} with {color}.",
    "Please place {mark} over {phrase}.",
    "Fill the shape of {phrase} with {mark}.",
    "Show the exact outline of {phrase} with {mark}.",
    "Find {phrase} in the image and add {mark}.",
    "Can you cover {phrase} with {mark}?",
    "Which pixels belong to {phrase}? Color them {color}.",
)
_UNBOX = (
    "Remove {mark} around {phrase}.",
    "Erase {mark} around {phrase}.",
    "Delete {mark} around {phrase}.",
    "Take away {mark} that was drawn around {phrase}.",
    "Get rid of {mark} around {phrase}.",
    "Wipe off {mark} around {phrase}.",
    "Clear {mark} from around {phrase}.",
    "Please remove {mark} marking {phrase}.",
    "Show {phrase} without {mark}.",
    "Restore the image by removing {mark} around {phrase}.",
    "Undo {mark} around {phrase}.",
    "Can you take out {mark} around {phrase}?",
    "Clean up the image: no more of {mark} around {phrase}.",
)
_UNCOVER = (
    "Remove {mark} from {phrase}.",
    "Erase {mark} over {phrase}.",
    "Delete {mark} on {phrase}.",
    "Take {mark} off {phrase}.",
    "Get rid of {mark} on {phrase}.",
    "Wipe {mark} off {phrase}.",
    "Clear {mark} from {phrase}.",
    "Lift {mark} from {phrase}.",
    "Show {phrase} without {mark}.",
    "Restore the original look of {phrase} by removing {mark}.",
    "Uncover {phrase} by taking away {mark}.",
    "Undo {mark} on {phrase}.",
    "Can you take {mark} off {phrase}?",
)
TEMPLATES: dict[tuple[Referring, bool], tuple[str, ...]] = {
    ("box", False): _BOX,
    ("mask", False): _MASK,
    ("instance", False): _INSTANCE,
    ("box", True): _UNBOX,
    ("mask", True): _UNCOVER,
    ("instance", True): _UNBOX,
}
"""The sentences of each task; True is for the inverse, where the marks are to be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Words that mean objects as they stand in a sentence; ``marks`` is how many marks they ask for, one or several."""

    text: str
    marks: Literal["one", "several"] = "one"


def cleaned(expression: str) -> str:
    """An annotator's words without loose ends: "  The man in red. " as "the man in red"; blank if nothing is left."""
    words = " ".join(expression.split()).strip(" .,;:!?\"'`")
    if words.count('"') % 2:  # the other one of a pair has just been removed
        words = words.replace('"', "")
    first, space, rest = words.partition(" ")
    return f"{first.lower()}{space}{rest}" if first.lower() in DETERMINERS else words


def phrase_for(form: Form, words: str, num_targets: int, stream: np.random.Generator) -> Phrase:
    """A phrase for a class name or, in the form ``expression``, for an annotator's words.

    For an annotator's words see ``expressions``. No targets, those of a negative, read as several.
    """
    if form == "expression":
        return Phrase(text=as_noun_phrase(cleaned(words)), marks="several" if num_targets > 1 else "one")
    one, many = nouns.singular(words), nouns.plural(words)
    if form == "the":
        return Phrase(text=nouns.definite(words))
    if form == "all":
        chosen = _pick(_ALL, stream)
        marks = "several" if "{many}" in chosen else "one"
    else:
        chosen, marks = _pick(_ANY_OF_SEVERAL if num_targets != 1 else _ANY, stream), "one"
    return Phrase(text=chosen.format(one=one, many=many, a_one=with_article(one)), marks=marks)


def instruction(
    referring: Referring, phrase: Phrase, color: str, stream: np.random.Generator, *, inverse: bool = False
) -> str:
    """A sentence that asks for these marks or, inverse, for their removal; an unquoted phrase stands in it unchanged.

    ``instruction("box", Phrase(text="the dog"), "orange", …)`` may be "Enclose the dog in an orange frame."
    """
    template = _pick(TEMPLATES[referring, inverse], stream)
    mark = _cover(color, stream, inverse) if referring == "mask" else _box(color, phrase.marks, stream, inverse)
    return _capitalized(template.format(phrase=phrase.text, mark=mark, color=color))


def _box(color: str, number: Literal["one", "several"], stream: np.random.Generator, definite: bool) -> str:
    """ "an orange box", "frames in orange", "the orange rectangle"."""
    several = number == "several"
    noun = _BOXES[int(stream.integers(len(_BOXES)))][several]
    if definite:
        return f"the {color} {noun}"
    if stream.random() < 0.25:
        return f"{noun} in {color}" if several else f"{with_article(noun)} in {color}"
    return f"{color} {noun}" if several else f"{with_article(color)} {noun}"


def _cover(color: str, stream: np.random.Generator, definite: bool) -> str:
    noun = _pick(_COVERS, stream)
    *look, thing = noun.split()
    named = " ".join((*look, color, thing))
    return f"the {named}" if definite else with_article(named)


def _pick(options: Sequence[str], stream: np.random.Generator) -> str:
    return options[int(stream.integers(len(options)))]


def _capitalized(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}"
