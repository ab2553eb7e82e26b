"""The arrays of a JSON file of any size, element by element, each with its bytes.

A COCO annotation file is one object of a few huge arrays; parsed whole it takes several gigabytes.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cologen.datagen.datasets.files import text_files

_WINDOW_BYTES = 8 << 20
_MOST_VALUE_BYTES = 256 << 20
"""Bytes; an element is one picture or annotation, and a longer one would be parsed again and again."""
_SPACE = re.compile(r"[ \t\n\r]*")
_decode = json.JSONDecoder().raw_decode


class Element(NamedTuple):
    """One element of the array ``section``, parsed, and where its bytes start and end in the file.

    Strings are read as Latin-1, to keep bytes and characters in step: take words from the bytes, not from ``value``.
    """

    section: str
    start: int
    end: int
    value: Any


def elements(file: mmap.mmap, path: Path) -> Iterator[Element]:
    """Every element of every array directly under the top-level object, in the order of the file.

    Raises:
        ValueError: not a JSON object, malformed, not in UTF-8, or an array that stands twice; ``path`` is for the
            message alone.
    """
    cursor = _Cursor(file, path)
    cursor.expect("{")
    sections = set[str]()
    if cursor.accept("}"):
        return cursor.finish()
    while True:
        section = str(cursor.value()[2])
        if section in sections:
            raise ValueError(f"{path}: {section!a} stands twice: which of the two is meant?")
        sections.add(section)
        cursor.expect(":")
        if cursor.accept("["):
            yield from _array(cursor, section)
        else:
            cursor.value()
        if not cursor.accept(","):
            break
    cursor.expect("}")
    cursor.finish()


def array_elements(file: mmap.mmap, path: Path, what: str) -> Iterator[Element]:
    """Every element of the array of ``what`` that the file is; it is their section too.

    Raises:
        ValueError: not a JSON array, malformed, or not in UTF-8.
    """
    cursor = _Cursor(file, path)
    if not cursor.accept("["):
        raise ValueError(f"{path}: expected an array of {what}")
    yield from _array(cursor, what)
    cursor.finish()


def mapped(path: Path) -> mmap.mmap:
    """The file in memory, as ``elements`` takes it.

    Raises:
        ValueError: the file is empty.
    """
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ValueError(f"{path}: the file is empty") from None


def _array(cursor: _Cursor, section: str) -> Iterator[Element]:
    if cursor.accept("]"):
        return
    while True:
        yield Element(section, *cursor.value())
        if not cursor.accept(","):
            break
    cursor.expect("]")


class _Cursor:
    """A place in the file, and the decoded window of text around it."""

    def __init__(self, file: mmap.mmap, path: Path) -> None:
        self._file, self._path = file, path
        self._base, self._position, self._text = text_files.start(file[:4], path), 0, ""
        self._slide()

    def accept(self, mark: str) -> bool:
        """Step over ``mark`` if it is the next character that is not space."""
        self._skip_space()
        if not self._text.startswith(mark, self._position):
            return False
        self._position += 1
        return True

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            raise self._malformed(f"expected {mark!r}")

    def finish(self) -> None:
        self._skip_space()
        if self._position < len(self._text):
            raise self._malformed("expected the end of the file")

    def value(self) -> tuple[int, int, Any]:
        """The next JSON value with its first byte and the byte after its last."""
        self._skip_space()
        while True:
            try:
                value, end = _decode(self._text, self._position)
            except RecursionError:
                raise self._malformed("brackets nested too deep") from None
            except ValueError as error:
                if self._is_last() or len(self._text) > _MOST_VALUE_BYTES:
                    raise self._malformed(str(error)) from None
            else:
                # A number that touches the end of the window may go on behind it.
                if end < len(self._text) or self._is_last():
                    start, self._position = self._base + self._position, end
                    return start, self._base + end, value
            self._slide()

    def _skip_space(self) -> None:
        while True:
            self._position = _SPACE.match(self._text, self._position).end()  # pyright: ignore[reportOptionalMemberAccess]
            if self._position < len(self._text) or self._is_last():
                return
            self._slide()

    def _slide(self) -> None:
        """Begin the window at the current place; twice as long if it began there already."""
        length = _WINDOW_BYTES if self._position else max(_WINDOW_BYTES, 2 * len(self._text))
        self._base, self._position = self._base + self._position, 0
        self._text = self._file[self._base : self._base + length].decode("latin-1")

    def _is_last(self) -> bool:
        return self._base + len(self._text) >= len(self._file)

    def _malformed(self, what: str) -> ValueError:
        return ValueError(f"{self._path}: malformed JSON at byte {self._base + self._position}: {what}")
