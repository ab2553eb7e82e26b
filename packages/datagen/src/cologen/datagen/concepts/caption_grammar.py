"""Finds the common nouns of a caption by rules over neighbouring words, where no trained tagger is installed.

Captions are plain English ("a man in a red shirt is riding a horse"), so one pass from left to right suffices: a word
is judged by the readings its form allows, by the part of speech of the word before and by whether a noun can follow.
The lists of ``vocabulary`` decide the cases that neighbours cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cologen.datagen.concepts import vocabulary
from cologen.datagen.concepts.wordforms import WordForm, WordForms


class _Part(Enum):
    START = auto()
    DETERMINER = auto()
    ADJECTIVE = auto()
    NOUN = auto()
    PLURAL = auto()
    VERB = auto()
    AUXILIARY = auto()
    SUBJECT = auto()
    CONNECTOR = auto()


_CLOSED: dict[str, _Part] = {
    **dict.fromkeys(vocabulary.CONNECTORS, _Part.CONNECTOR),
    **dict.fromkeys(vocabulary.AUXILIARIES, _Part.AUXILIARY),
    **dict.fromkeys(vocabulary.SUBJECTS, _Part.SUBJECT),
    **dict.fromkeys(vocabulary.DETERMINERS, _Part.DETERMINER),
}
_ASK_FOR_NOUN = frozenset({_Part.DETERMINER, _Part.ADJECTIVE})
_NOUNS = frozenset({_Part.NOUN, _Part.PLURAL})


@dataclass(frozen=True, slots=True)
class _Next:
    """What follows the word that is classified."""

    noun: bool
    determiner: bool
    hyphen: bool


def common_nouns(words: Sequence[str], forms: WordForms) -> list[bool]:
    """For each token of a caption, as written, whether it is a common noun.

    ``A man riding a horse past parked cars .`` → man, horse and cars.
    """
    lowered = [word.lower() for word in words]
    flags = [False] * len(words)
    before = _Part.START
    for place, word in enumerate(lowered):
        if word in vocabulary.ADVERBS or word == "-":
            continue
        before = _part(word, forms(word), before, _next(lowered[place + 1 : place + 2], forms))
        flags[place] = before in _NOUNS
    for place in _proper_names(words, forms):
        flags[place] = False
    return flags


def _next(rest: Sequence[str], forms: WordForms) -> _Next:
    word = rest[0] if rest else "."
    return _Next(noun=_can_be_noun(word, forms(word)), determiner=word in vocabulary.DETERMINERS, hyphen=word == "-")


def _can_be_noun(word: str, form: WordForm) -> bool:
    if word in _CLOSED or word in vocabulary.ADVERBS or not word[0].isalpha():
        return False
    if word.endswith("ing") and form.verb not in (None, word):
        return word in vocabulary.THINGS_IN_ING
    return form.noun or form.adjective or form.unknown


def _part(word: str, form: WordForm, before: _Part, after: _Next) -> _Part:
    if word in _CLOSED:
        return _CLOSED[word]
    if not word[0].isalpha():
        return _Part.DETERMINER if word[0].isdigit() else _Part.CONNECTOR
    if _is_adjective(word, form, after):
        return _Part.ADJECTIVE
    if form.verb and _is_verb(word, form, before, after):
        return _Part.VERB
    if form.noun or form.unknown:
        return _Part.PLURAL if form.plural else _Part.NOUN
    return _Part.ADJECTIVE


def _is_adjective(word: str, form: WordForm, after: _Next) -> bool:
    if after.hyphen or word in vocabulary.ADJECTIVES:
        return True
    return form.adjective and (after.noun or not form.noun)


def _is_verb(word: str, form: WordForm, before: _Part, after: _Next) -> bool:
    inflected = form.verb != word and not form.plural
    if inflected and before is _Part.AUXILIARY:
        return True
    if inflected and word.endswith("ing"):
        modifies = word in vocabulary.MODIFIERS_IN_ING and after.noun and before not in _NOUNS
        return word not in vocabulary.THINGS_IN_ING and not modifies
    if not form.noun:
        return True
    if before in _ASK_FOR_NOUN:
        return False
    usual = form.verb in vocabulary.USUAL_VERBS
    if before is _Part.NOUN:
        return usual and (form.plural or after.determiner)
    if before is _Part.PLURAL:
        return not form.plural and (usual or after.determiner)
    return usual and (before is _Part.SUBJECT or after.determiner)


def _proper_names(words: Sequence[str], forms: WordForms) -> list[int]:
    """Capitalised words inside a sentence (``Scott Brown``), unless the whole caption is written like a title."""
    inside = [place for place in range(1, len(words)) if words[place - 1] not in {".", "!", "?", '"'}]
    capitalised = [place for place in inside if words[place][0].isupper()]
    if 2 * len(capitalised) > len(inside):
        return []
    return [place for place in capitalised if not words[place].isupper() or forms(words[place].lower()).unknown]
