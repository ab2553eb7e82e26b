"""Lookups in the lemma tables of spacy-lookups-data: an English word's possible parts of speech and its singular.

The tables (WordNet's lemmas) list every possible form, however rare: in them ``riding`` and ``white`` are nouns too.
``caption_grammar`` decides which of the possible readings a word has where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, cast

from spacy.lookups import load_lookups

from cologen.datagen.concepts.vocabulary import PLURAL_ONLY, SINGULARS_IN_S

IRREGULAR_SINGULARS = {
    "people": "person",
    "women": "woman",
    "feet": "foot",
    "leaves": "leaf",
    "busses": "bus",
    "bikers": "biker",
}
"""Plurals that the tables miss, or where they offer the rarer noun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordForm:
    """The readings of one lower-case word: ``verb`` is the verb of which it is a form, ``singular`` its noun."""

    noun: bool
    singular: str
    plural: bool
    verb: str | None
    adjective: bool
    adverb: bool

    @property
    def unknown(self) -> bool:
        """In none of the tables: a new word (``smartphone``) or a misspelt one."""
        return not (self.noun or self.verb or self.adjective or self.adverb)


class WordForms:
    """The lemma tables of nouns, verbs, adjectives and adverbs; calling it looks a lower-case word up, once."""

    version = version("spacy-lookups-data")

    def __init__(self) -> None:
        lookups = load_lookups("en", ["lemma_index", "lemma_exc", "lemma_rules"])
        index, exceptions, rules = (
            cast("dict[str, Any]", lookups.get_table(name)) for name in ("lemma_index", "lemma_exc", "lemma_rules")
        )
        self._words = {part: frozenset[str](index[part]) for part in ("noun", "verb", "adj", "adv")}
        self._exceptions: dict[str, dict[str, list[str]]] = {part: exceptions[part] for part in self._words}
        self._rules: dict[str, list[list[str]]] = {part: rules[part] for part in self._words}
        self._cached = lru_cache(maxsize=1 << 16)(self._read)

    def __call__(self, word: str) -> WordForm:
        """What ``word`` can be."""
        return self._cached(word)

    def _read(self, word: str) -> WordForm:
        singular = self._singular(word)
        return WordForm(
            noun=singular is not None,
            singular=singular or _without_plural_s(word),
            plural=word in PLURAL_ONLY or (singular or _without_plural_s(word)) != word,
            verb=self._lemma(word, "verb"),
            adjective=self._lemma(word, "adj") is not None,
            adverb=word in self._words["adv"],
        )

    def _singular(self, word: str) -> str | None:
        if word in PLURAL_ONLY:
            return word
        if word in IRREGULAR_SINGULARS:
            return IRREGULAR_SINGULARS[word]
        if word in self._exceptions["noun"]:
            return self._exceptions["noun"][word][0]
        if word.endswith(("ss", "us", "is")) or word in SINGULARS_IN_S or not word.endswith("s"):
            return self._as_listed(word, "noun") or self._inflected(word, "noun")
        return self._inflected(word, "noun") or self._as_listed(word, "noun")

    def _lemma(self, word: str, part: str) -> str | None:
        return self._as_listed(word, part) or self._inflected(word, part)

    def _as_listed(self, word: str, part: str) -> str | None:
        return word if word in self._words[part] else None

    def _inflected(self, word: str, part: str) -> str | None:
        if word in self._exceptions[part]:
            return self._exceptions[part][word][0]
        stems = (word[: -len(old)] + new for old, new in self._rules[part] if old and word.endswith(old))
        return next((stem for stem in stems if stem in self._words[part]), None)


def _without_plural_s(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
