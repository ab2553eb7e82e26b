"""One index of a source of pairs or conditions into its reading: the one place where their rejections are caught."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.readings import STAGE
from cologen.datagen.pair_records import ConditionReading, PairReading
from cologen.datagen.records import Reason, RejectedError


def read_pair(source: str, key: str, interpret: Callable[[], PairReading]) -> PairReading:
    """What ``interpret`` makes; a pair it rejects is one rejection ``source/key``."""
    try:
        return interpret()
    except RejectedError as error:
        return PairReading(pair=None, rejections=(error.of(f"{source}/{key}", STAGE),))


def read_condition(source: str, key: str, interpret: Callable[[], ConditionReading]) -> ConditionReading:
    """What ``interpret`` makes; a condition it rejects is one rejection ``source/key``."""
    try:
        return interpret()
    except RejectedError as error:
        return ConditionReading(condition=None, rejections=(error.of(f"{source}/{key}", STAGE),))


def worded(values: Iterable[Any], name: str, missing: Reason = Reason.NULL_CAPTION) -> tuple[str, ...]:
    """Those of ``values`` that have words, on one line each and no two the same.

    Raises:
        RejectedError: none has, which is ``missing``; ``name`` is what they are called.
    """
    found = tuple(dict.fromkeys(filter(None, map(fields.words, values))))
    if not found:
        raise RejectedError(missing, f"{name}: no words")
    return found
