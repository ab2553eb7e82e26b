"""JSON from outside, field by field: each getter gives the asked type or rejects the record by the field's name."""

from __future__ import annotations

import json
from typing import Any

import orjson

from cologen.datagen.records import Reason, RejectedError

Record = dict[str, Any]


def parse_record(data: bytes) -> Record:
    """A JSON object from UTF-8 bytes.

    Raises:
        RejectedError: invalid UTF-8, malformed JSON, or JSON that is not an object.
    """
    try:
        return as_record(orjson.loads(data), "the record")
    except orjson.JSONDecodeError:
        return _parse_patiently(data)


def _parse_patiently(data: bytes) -> Record:
    """What orjson refuses: a byte order mark and NaN can be read, and every fault has a name of its own."""
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RejectedError(Reason.INVALID_UTF8, f"byte {error.start} of {len(data)}: {error.reason}") from None
    except (ValueError, RecursionError) as error:
        raise RejectedError(Reason.MALFORMED_JSON, str(error)) from None
    return as_record(value, "the record")


def as_record(value: object, name: str) -> Record:
    """``value`` itself if it is a JSON object."""
    if not isinstance(value, dict):
        raise _wrong(name, "an object", value)
    return value


def record(parent: Record, name: str) -> Record:
    """The object in field ``name``."""
    return as_record(parent.get(name), name)


def items(parent: Record, name: str) -> list[Any]:
    """The array in field ``name``."""
    value = parent.get(name)
    if not isinstance(value, list):
        raise _wrong(name, "a list", value)
    return value


def integer(parent: Record, name: str) -> int:
    """The whole number in field ``name``; ``true`` is none."""
    value = parent.get(name)
    if type(value) is not int:
        raise _wrong(name, "a whole number", value)
    return value


def text(parent: Record, name: str) -> str:
    """The string in field ``name``."""
    value = parent.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "a string", value)
    return _encodable(value)


def words(value: object) -> str:
    """``value`` as words on one line, or "" where it is no string or has none."""
    return " ".join(_encodable(value).split()) if isinstance(value, str) else ""


def identity(value: object, place: int) -> str:
    """What names an element of an array: its own ``id`` where that is a number, else its place."""
    own = value.get("id") if isinstance(value, dict) else None
    return str(own if type(own) is int else place)


def _encodable(value: str) -> str:
    """Refuse half a surrogate pair (``"\\ud83d"``), which JSON can write and UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RejectedError(Reason.INVALID_UTF8, f"character {error.start}: {error.reason}") from None
    return value


def _wrong(name: str, expected: str, value: object) -> RejectedError:
    return RejectedError(Reason.MALFORMED_RECORD, f"{name}: expected {expected}, found {ascii(value)[:60]}")
