"""Settings kept in a JSON file beside what was made with them: written whole, read back, compared by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cologen.model.files import write_atomically


def write_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Write the file whole, names sorted, so that the same settings are the same bytes."""
    write_atomically(file, (json.dumps(dict(settings), indent=1, sort_keys=True) + "\n").encode())


def read_settings(file: Path) -> dict[str, Any]:
    """What the file holds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no settings.
    """
    try:
        settings = json.loads(file.read_bytes())
        if not isinstance(settings, dict):
            raise TypeError(f"expected an object, got {type(settings).__name__}")  # noqa: TRY301, named once, below
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file} holds no settings ({error}): remove it, and what was made with them") from error
    return settings


def differing(found: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """The names whose values differ, sorted."""
    return sorted(name for name in {*found, *asked} if found.get(name) != asked.get(name))


def in_words(found: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What differs, such as ``seed: 0, not 5``; empty where nothing does."""
    return "; ".join(f"{name}: {found.get(name)!r}, not {asked.get(name)!r}" for name in differing(found, asked))
