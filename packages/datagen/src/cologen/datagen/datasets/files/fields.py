"""Typed access to JSON from outside: each getter gives the asked type, or rejects the record by the field's name."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from cologen.datagen.datasets.files import text_files
from cologen.datagen.records import Reason, RejectedError

Record = dict[str, Any]

_REJECTED = "~rejected"
"""The only field of a record that replaces unusable JSON: the reason and its detail."""
_MOST_NESTED = 64
"""Levels of brackets: deeper values would overflow the stack when they are compared, printed or written."""
_LARGEST_ID = 1 << 62
_LARGEST_NUMBER = 1e300  # JSON may write integers that no float holds
_DIGITS = re.compile(r"-?[0-9]{1,18}")

# Invisible characters: control and format characters, and four letters that are blank by definition.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_NO_WIDTH = re.compile("[\u00ad\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]")
# The whole text where a value is missing, as pandas, other programs and people write it.
_PLACEHOLDER = re.compile(
    r"\\n|[\W_]*(?:n\W?a(?:\W+n\W?a)?|nan|nat|none|null|nil|undefined|1\.#(?:ind|qnan)"
    r"|no (?:caption|description)|not (?:available|applicable))[\W_]*",
    re.IGNORECASE,
)
_BLANK_LETTERS = re.compile("[\u115f\u1160\u3164\uffa0]")


def parse_record(data: bytes) -> Record:
    """A JSON object from UTF-8 bytes from outside; a byte order mark and NaN are let pass.

    Raises:
        RejectedError: invalid UTF-8, malformed JSON, a field that stands twice, or JSON that is not an object.
    """
    return as_record(_parsed(data), "the record")


def parse_or_mark(data: bytes) -> Any:
    """The JSON value, or a record that ``as_record`` rejects for the same reason as ``parse_record`` would have."""
    try:
        return _parsed(data)
    except RejectedError as error:
        return rejected_record(error)


def rejected_record(error: RejectedError) -> Record:
    """A record that can be stored in place of one that cannot be used; ``as_record`` rejects it with ``error``."""
    return {_REJECTED: [str(error.reason), error.detail]}


def is_rejected(value: Record) -> bool:
    """Whether ``as_record`` rejects it."""
    return _REJECTED in value


def parse_own(data: bytes) -> Record:
    """A JSON object that this package has written itself: faster, and never malformed."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # It knows no NaN and no halves of surrogate pairs, which stand in what is to be rejected.
        return json.loads(data)


def _parsed(data: bytes) -> Any:
    encoding = text_files.foreign_encoding(data)
    if encoding is not None:
        raise RejectedError(Reason.INVALID_UTF8, f"{encoding} text, expected UTF-8")
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except UnicodeDecodeError as error:
        raise RejectedError(Reason.INVALID_UTF8, f"byte {error.start} of {len(data)}: {error.reason}") from None
    except RecursionError:
        raise RejectedError(Reason.MALFORMED_JSON, _too_deep()) from None
    except ValueError as error:
        cut = len(data) >= text_files.MOST_LINE_BYTES - len("\ufeff".encode())
        why = f"more than {text_files.MOST_LINE_BYTES} bytes in a line" if cut else str(error)
        raise RejectedError(Reason.MALFORMED_JSON, why) from None
    if data.count(b"[") + data.count(b"{") > _MOST_NESTED and _is_too_deep(value):
        raise RejectedError(Reason.MALFORMED_JSON, _too_deep())
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> Record:
    """A repeated field is ambiguous."""
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for place, name in enumerate(names) if name in names[:place])
        return rejected_record(RejectedError(Reason.MALFORMED_JSON, f"the field {shown(name)} stands twice"))
    return record


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(_MOST_NESTED):
        inner = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list)))
        level = [item for items in inner for item in items if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def _too_deep() -> str:
    return f"brackets nested more than {_MOST_NESTED} deep"


def as_record(value: object, name: str) -> Record:
    """``value`` itself if it is a JSON object."""
    if not isinstance(value, dict):
        raise _wrong(name, "an object", value)
    match value.get(_REJECTED):
        case [str(reason), str(detail)]:
            raise RejectedError(Reason(reason) if reason in set(Reason) else Reason.MALFORMED_RECORD, detail)
        case None:
            return value
        case other:
            raise _wrong(name, f"no field {_REJECTED!r}", other)


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


def pixels(parent: Record, name: str) -> int:
    """The whole number in field ``name``, which pandas may have written as ``640.0``."""
    value = parent.get(name)
    return int(value) if type(value) is float and value.is_integer() else integer(parent, name)


def number(parent: Record, name: str) -> float:
    """The finite number in field ``name``; ``true`` is none."""
    value = parent.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _LARGEST_NUMBER:
        raise _wrong(name, "a finite number", value)
    return float(value)


def named(parent: Record, name: str) -> str:
    """The id in field ``name`` as a string: words as they are, and 17 or 17.0 as ``"17"``."""
    value = parent.get(name)
    own = None if isinstance(value, str) else identifier(value)
    return text(parent, name) if own is None else str(own)


def text(parent: Record, name: str) -> str:
    """The string in field ``name``."""
    value = parent.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "a string", value)
    return _encodable(value)


def words(value: object) -> str:
    """``value`` as words on one line; "" where it is no string, shows no letter and no digit, or stands for nothing.

    "nan", "N/A" and "None" stand for nothing; "none of the cups" is words.
    """
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        plain = value
    else:
        plain = _NO_WIDTH.sub("", _INVISIBLE.sub(" ", _encodable(value)))
    if not any(character.isalnum() for character in _BLANK_LETTERS.sub("", plain)):
        return ""
    line = " ".join(plain.split())
    return "" if _PLACEHOLDER.fullmatch(line) else line


def identifier(value: object) -> int | None:
    """The whole number that an id stands for: 17, 17.0 and ``"000017"`` are the same; None for anything else."""
    if (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        value = int(value)
    return value if type(value) is int and abs(value) < _LARGEST_ID else None


def identity(value: object, place: int) -> str:
    """What names an element of an array: its own ``id`` where it has one, else its place."""
    own = identifier(value.get("id")) if isinstance(value, dict) else None
    return str(place if own is None else own)


def shown(value: object) -> str:
    """``value`` in a message: plain ASCII, cut short."""
    return ascii(value[:60] if isinstance(value, (str, list)) else value)[:60]


def _encodable(value: str) -> str:
    """Refuse half a surrogate pair (``"\\ud83d"``), which JSON can write and UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RejectedError(Reason.INVALID_UTF8, f"character {error.start}: {error.reason}") from None
    return value


def _wrong(name: str, expected: str, value: object) -> RejectedError:
    return RejectedError(Reason.MALFORMED_RECORD, f"{name}: expected {expected}, found {shown(value)}")
