"""The text of a dataset's lists: UTF-8, with or without a byte order mark; others are errors that name the encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# UTF-32 first: its mark begins as that of UTF-16.
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
MOST_LINE_BYTES = 1 << 20
"""The datasets' lists have lines of a few kilobytes; a longer one is truncated, so it is not valid JSON."""


def foreign_encoding(head: bytes) -> str | None:
    """The name of the encoding if text that begins like this is no UTF-8, by its mark or the zeros of ASCII."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    zeros = [place for place, byte in enumerate(head[:4]) if byte == 0]
    if len(head) >= 4 and zeros in ([1, 3], [0, 2]):
        return "UTF-16"
    return "UTF-32" if len(head) >= 4 and zeros in ([1, 2, 3], [0, 1, 2]) else None


def start(head: bytes, name: object) -> int:
    """How many bytes of mark stand before text that begins with ``head``; ``name`` is the file's, for the message.

    Raises:
        ValueError: it is UTF-16 or UTF-32.
    """
    encoding = foreign_encoding(head)
    if encoding is not None:
        raise ValueError(
            f"{name}: {encoding} text, expected UTF-8: convert it, for example with iconv -f {encoding} -t UTF-8"
        )
    return len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0


def lines(readline: Callable[[int], bytes], name: object) -> Iterator[bytes]:
    """The lines that a file's ``readline`` gives, with their ends; the rest of one over ``MOST_LINE_BYTES`` is skipped.

    Raises:
        ValueError: as ``start``.
    """
    line = readline(MOST_LINE_BYTES)
    line = line[start(line, name) :]
    while line:
        yield line
        whole = line.endswith(b"\n") or len(line) < MOST_LINE_BYTES - len(_BYTE_ORDER_MARK)
        while not whole:
            rest = readline(MOST_LINE_BYTES)
            whole = not rest or rest.endswith(b"\n")
        line = readline(MOST_LINE_BYTES)


def read(path: Path) -> str:
    """All of a small file; bytes that are no UTF-8 become U+FFFD.

    Raises:
        ValueError: as ``start``.
    """
    data = path.read_bytes()
    return data[start(data, path) :].decode(errors="replace")
