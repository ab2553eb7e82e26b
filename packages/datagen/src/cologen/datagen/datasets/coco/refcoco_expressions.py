"""The refs of one picture as expressions: which words refer to which objects; ambiguous ones are rejected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.readings import survivors
from cologen.datagen.records import Expression, Reason, RejectedError, Rejection

_ARTICLES = ("the ", "a ", "an ")


class _Said(NamedTuple):
    name: str
    text: str
    target: int

    @property
    def plain(self) -> str:
        """The words by which rivals are found: "the Left cup" says no more than "left cup"."""
        words = self.text.lower().rstrip(".")
        return next((words.removeprefix(article) for article in _ARTICLES if words.startswith(article)), words)


class _Ref(NamedTuple):
    target: int
    sentences: list[object]


def read_expressions(
    sample_id: str, refs: list[object], places: Mapping[int, int]
) -> tuple[tuple[Expression, ...], tuple[Rejection, ...]]:
    """One expression per sentence, with ``places`` of objects by annotation id; each that cannot be is a rejection.

    The words are ``sent``, which the dataset has cleaned and lower-cased, rather than ``raw``. Each was said of one
    object alone, so words that are said of several objects of the picture fit none of them and are ambiguous.
    """
    found, bad_refs = survivors(sample_id, [(name, partial(_ref, ref, places)) for name, ref in _named("ref", refs)])
    sentences = [
        (name, partial(_said, name, value, ref.target))
        for ref in found
        for name, value in _named("sentence", ref.sentences)
    ]
    said, wordless = survivors(sample_id, sentences)
    meant: dict[str, set[int]] = defaultdict(set)
    for one in said:
        meant[one.plain].add(one.target)
    expressions, ambiguous = survivors(sample_id, [(one.name, partial(_expression, one, meant)) for one in said])
    return expressions, bad_refs + wordless + ambiguous


def reject_refs(sample_id: str, refs: list[object], why: str) -> tuple[Rejection, ...]:
    """A rejection for every ref of a picture that does not exist."""
    return survivors(sample_id, [(name, partial(_reject, why)) for name, _ in _named("ref", refs)])[1]


def _reject(why: str) -> None:
    raise RejectedError(Reason.MALFORMED_RECORD, why)


def _ref(value: object, places: Mapping[int, int]) -> _Ref:
    ref = fields.as_record(value, "ref")
    annotation = fields.identifier(ref.get("ann_id"))
    if annotation is None:
        detail = f"ann_id: expected a whole number, found {fields.shown(ref.get('ann_id'))}"
        raise RejectedError(Reason.MALFORMED_RECORD, detail)
    if annotation not in places:
        detail = f"the picture has no usable annotation {annotation}, or several of this id"
        raise RejectedError(Reason.MALFORMED_RECORD, detail)
    return _Ref(places[annotation], fields.items(ref, "sentences"))


def _said(name: str, value: object, target: int) -> _Said:
    words = fields.words(fields.as_record(value, "sentence").get("sent"))
    if not words:
        raise RejectedError(Reason.NULL_CAPTION, "an expression without words")
    return _Said(name, words, target)


def _expression(said: _Said, meant: Mapping[str, set[int]]) -> Expression:
    if len(meant[said.plain]) > 1:
        detail = f"{fields.shown(said.text)} is said of {len(meant[said.plain])} objects"
        raise RejectedError(Reason.AMBIGUOUS, detail)
    return Expression(text=said.text, targets=(said.target,))


def _named(prefix: str, values: list[object]) -> Iterator[tuple[str, object]]:
    for place, value in enumerate(values):
        yield f"{prefix}-{fields.identity(value, place)}", value
