"""Small JSON files with a checksum, and files of JSON lines, where a truncated line is skipped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cologen.model.files import write_atomically

CHECKSUM = "checksum"

_LOG = logging.getLogger(__name__)


def sealed(content: Mapping[str, Any]) -> bytes:
    """The JSON of some values and their checksum."""
    plain = json.loads(json.dumps(content))
    return (json.dumps({**plain, CHECKSUM: _sum_of(plain)}, indent=1) + "\n").encode()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write the values to ``path`` atomically.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    write_atomically(path, sealed(content))


def read_sealed(path: Path) -> dict[str, Any]:
    """The values of a file that ``write_sealed`` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or was changed by hand.
    """
    return unsealed(path.read_bytes(), path)


def unsealed(data: bytes, path: Path) -> dict[str, Any]:
    """The values of ``sealed``; ``path`` is for the message.

    Raises:
        ValueError: it is damaged, or was changed by hand.
    """
    try:
        content = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it is no JSON ({error})") from error
    if not isinstance(content, dict) or content.pop(CHECKSUM, None) != _sum_of(content):
        raise ValueError(f"{path} is damaged, or was changed by hand: its checksum is not that of its values")
    return content


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; lines that are damaged or cut short are left out, and logged."""
    if not path.exists():
        return []
    found, lost = list[dict[str, Any]](), 0
    for line in path.read_bytes().splitlines():
        try:
            values = json.loads(line.decode())
        except (ValueError, RecursionError):
            values = None
        if isinstance(values, dict):
            found.append(values)
        else:
            lost += 1
    if lost:
        _LOG.warning("%s: %d lines are damaged or were cut short, and are left out", path, lost)
    return found


def _sum_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
