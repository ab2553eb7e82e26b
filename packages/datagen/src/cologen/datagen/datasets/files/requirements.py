"""Requirements on a dataset's files: a missing split, file or folder is one error that says what was expected where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def require_split(dataset: str, split: str, splits: Mapping[str, str]) -> str:
    """The folder of ``split``.

    Raises:
        ValueError: the dataset has no such split.
    """
    if split not in splits:
        raise ValueError(f"{dataset} has no split {split!r}: expected {' or '.join(map(repr, splits))}")
    return splits[split]


def require_file(path: Path, root: Path) -> Path:
    """``path`` itself.

    Raises:
        FileNotFoundError: there is no such file, or no ``root`` to begin with.
    """
    require_root(root)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path.relative_to(root)} under {root}")
    return path


def require_root(root: Path) -> None:
    """Check that ``root`` is a folder.

    Raises:
        FileNotFoundError: it is not.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"the dataset's root {root} is not a folder")


def first_folder(root: Path, candidates: Sequence[str]) -> Path:
    """The first of ``candidates``, paths relative to ``root``, that is a folder.

    Raises:
        FileNotFoundError: none is, or there is no ``root``.
    """
    require_root(root)
    for candidate in candidates:
        if (root / candidate).is_dir():
            return root / candidate
    raise FileNotFoundError(f"{root} holds none of the folders {', '.join(candidates)}")
