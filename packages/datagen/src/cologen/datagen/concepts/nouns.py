"""The nouns of captions, which are the words the detector looks for: by a trained spaCy tagger, or by tables and rules.

The paper extracts nouns from global captions with spaCy. Where no trained pipeline is installed, spaCy's own tokenizer
and lemma tables are used with the rules of ``caption_grammar``; the recipe records which method was used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from cologen.datagen.concepts.caption_grammar import common_nouns
from cologen.datagen.concepts.vocabulary import NOT_THINGS, PARTITIVES
from cologen.datagen.concepts.wordforms import WordForms

DEFAULT_MODEL = "en_core_web_sm"
_MEASURES = NOT_THINGS | PARTITIVES


@runtime_checkable
class NounExtractor(Protocol):
    """Captions to their nouns."""

    @property
    def name(self) -> str:
        """The method and its version, for the recipe: ``en_core_web_sm 3.8.0`` or ``lookups 1.0.5``."""
        ...

    def __call__(self, captions: Sequence[str]) -> list[tuple[str, ...]]:
        """Per caption its nouns: lower-case, singular, each once, as they appear; compounds (stop sign) whole."""
        ...


def open_nouns(model: str = "auto") -> NounExtractor:
    """The extractor of that name.

    Args:
        model: ``auto`` (the trained ``en_core_web_sm`` where installed, the tables otherwise), ``lookups``, or any
            installed spaCy pipeline's name or folder.

    Raises:
        FileNotFoundError: no such pipeline.
        ValueError: the pipeline tags no parts of speech.
    """
    if model == "lookups" or (model == "auto" and not spacy.util.is_package(DEFAULT_MODEL)):
        return TableNouns()
    return TrainedNouns(DEFAULT_MODEL if model == "auto" else model)


class TableNouns:
    """Nouns by lemma tables and neighbours; needs no model."""

    def __init__(self) -> None:
        self._tokenize: Callable[[str], Doc] = spacy.blank("en").tokenizer
        self._forms = WordForms()
        self.name = f"lookups {self._forms.version}"

    def __call__(self, captions: Sequence[str]) -> list[tuple[str, ...]]:
        """As :class:`NounExtractor`."""
        return [self._nouns(caption) for caption in captions]

    def _nouns(self, caption: str) -> tuple[str, ...]:
        # A hyphen joins words and a dash separates them; only the spaces around it show which it is.
        words = [token.text for token in self._tokenize(caption.replace(" - ", " – ")) if not token.is_space]
        return _compounds(words, common_nouns(words, self._forms), self._forms)


class TrainedNouns:
    """Nouns by the part-of-speech tags of a trained pipeline."""

    def __init__(self, model: str) -> None:
        if not spacy.util.is_package(model) and not (Path(model) / "config.cfg").is_file():
            raise FileNotFoundError(
                f"no spaCy pipeline {model!r}: expected an installed package or a folder with config.cfg; "
                f"install one with `python -m spacy download {DEFAULT_MODEL}`, or use 'lookups'"
            )
        self._pipeline: Language = spacy.load(model, exclude=["parser", "ner", "lemmatizer"])
        if not {"tagger", "morphologizer", "attribute_ruler"} & set(self._pipeline.pipe_names):
            raise ValueError(f"the spaCy pipeline {model!r} tags no parts of speech: {self._pipeline.pipe_names}")
        meta = self._pipeline.meta
        self._forms = WordForms()
        self.name = f"{meta['lang']}_{meta['name']} {meta['version']}"

    def __call__(self, captions: Sequence[str]) -> list[tuple[str, ...]]:
        """As :class:`NounExtractor`."""
        return [self._nouns(doc) for doc in self._pipeline.pipe(captions)]

    def _nouns(self, doc: Doc) -> tuple[str, ...]:
        tokens = [token for token in doc if not token.is_space]
        # A pipeline without a mapping to universal parts of speech still has its tags.
        flags = [token.pos_ == "NOUN" or (not token.pos_ and token.tag_ in {"NN", "NNS"}) for token in tokens]
        return _compounds([token.text for token in tokens], flags, self._forms)


def _compounds(words: Sequence[str], flags: Sequence[bool], forms: WordForms) -> tuple[str, ...]:
    """Neighbouring nouns as one: ``stop sign``, its last word in the singular; each once, without words that name no
    thing."""
    found: dict[str, None] = {}
    run: list[str] = []
    for word, flag in zip([*words, "."], [*flags, False], strict=True):
        if flag:
            run.append(word.lower())
            continue
        if noun := _thing(run, word.lower(), forms):
            found[noun] = None
        run = []
    return tuple(found)


def _thing(run: Sequence[str], after: str, forms: WordForms) -> str:
    """The compound's name up to its last word that is a thing, empty where none is."""
    dropped = _MEASURES if after == "of" else NOT_THINGS
    last = len(run)
    while last and forms(run[last - 1]).singular in dropped:
        last -= 1
    return " ".join([*run[: last - 1], forms(run[last - 1]).singular]) if last else ""
