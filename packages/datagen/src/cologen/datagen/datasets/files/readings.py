"""One index of a source into a ``Reading``: the only place where sources catch rejections, so that each is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from cologen.datagen.datasets.files.index import Index
from cologen.datagen.records import Reading, Reason, RejectedError, Rejection

_Part = TypeVar("_Part")

STAGE = "source"


def read_row(source: str, rows: Index, index: int, interpret: Callable[[str, bytes], Reading]) -> Reading:
    """What ``interpret`` makes of the row's key and payload; a picture it rejects is one rejection."""
    key = rows.key(index)
    try:
        _refuse_repeat(rows, index)
        return interpret(key, rows.payload(index))
    except RejectedError as error:
        return Reading(image=None, rejections=(error.of(f"{source}/{key}", STAGE),))


def survivors(
    sample_id: str, parts: Iterable[tuple[str, Callable[[], _Part]]]
) -> tuple[tuple[_Part, ...], tuple[Rejection, ...]]:
    """Each part that can be made, and a rejection ``sample_id@name`` for each that cannot."""
    made: list[_Part] = []
    rejections: list[Rejection] = []
    for name, make in parts:
        try:
            made.append(make())
        except RejectedError as error:
            rejections.append(error.of(f"{sample_id}@{name}", STAGE))
    return tuple(made), tuple(rejections)


def _refuse_repeat(rows: Index, index: int) -> None:
    if rows.repeats(index):
        raise RejectedError(Reason.DUPLICATE_ID, f"{rows.key(index)} is listed before")
