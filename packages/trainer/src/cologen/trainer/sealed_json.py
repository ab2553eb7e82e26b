"""Small JSON files that carry a checksum of all their values, so that no damaged one is taken for what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cologen.model.files import write_atomically

CHECKSUM = "checksum"


def sealed(content: Mapping[str, Any]) -> bytes:
    """The JSON of some values and their checksum."""
    plain = json.loads(json.dumps(content))
    return (json.dumps({**plain, CHECKSUM: _sum_of(plain)}, indent=1) + "\n").encode()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write the values to ``path`` at once.

    Raises:
        OSError: it cannot be written; what was there stays.
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


def _sum_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
