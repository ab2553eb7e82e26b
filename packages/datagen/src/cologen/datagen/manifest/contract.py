"""The contract between building and training: a folder of Parquet parts, their rejections, and ``manifest.json``."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError

from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.part_files import PartReport, read_part
from cologen.datagen.manifest.schemas import Task

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
REPORT_NAME = "report.html"
CARD_NAME = "README.md"

NO_CHECKSUM = "it holds no checksum: an older version wrote it"

_CHECKSUM = "checksum"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@runtime_checkable
class Recipe(Protocol):
    """A recipe as far as its manifest knows it."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """The values by field, for ``mode="json"`` as JSON holds them."""
        ...


class Mix(_Frozen):
    """The shares asked for, and the samples made of each kind."""

    asked: dict[str, float]
    achieved: dict[str, int]


class Manifest(_Frozen):
    """``manifest.json``. ``root`` is the folder of the pictures; everything else is the same wherever it was built."""

    schema_version: int = SCHEMA_VERSION
    task: Task
    source: str
    recipe: dict[str, Any]
    recipe_hash: str
    num_parts: int
    root: str
    rows: int = 0
    rejected: dict[str, int] = {}
    mix: Mix
    parts: tuple[PartReport, ...] = ()
    complete: bool = False

    @classmethod
    def empty(
        cls, task: Task, source: str, recipe: Recipe, *, num_parts: int, root: Path, mix: dict[str, float]
    ) -> Manifest:
        """A manifest before its first part: the resolved recipe and what it asks for."""
        resolved = recipe.model_dump(mode="json")
        return cls(
            task=task,
            source=source,
            recipe=resolved,
            recipe_hash=recipe_hash(resolved),
            num_parts=num_parts,
            root=str(root),
            mix=Mix(asked=mix, achieved={}),
        )

    def finished(self, parts: Sequence[PartReport]) -> Manifest:
        """This manifest with all of its parts counted up, complete."""
        ordered = tuple(sorted(parts, key=lambda part: part.index))
        rejected, achieved = Counter[str](), Counter(dict.fromkeys(self.mix.asked, 0))
        for part in ordered:
            rejected.update(part.rejected)
            achieved.update(part.mix)
        return self.model_copy(
            update={
                "parts": ordered,
                "rows": sum(part.rows for part in ordered),
                "rejected": dict(sorted(rejected.items())),
                "mix": Mix(asked=self.mix.asked, achieved=dict(achieved)),
                "complete": True,
            }
        )


def recipe_hash(recipe: dict[str, Any]) -> str:
    """A hash of the resolved recipe; the order of its keys does not matter."""
    return _hash_of(recipe)


def save_manifest(folder: Folder, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically, with a checksum over all of its values."""
    content = manifest.model_dump(mode="json")
    content[_CHECKSUM] = _hash_of(content)
    folder.write(MANIFEST_NAME, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def load_manifest(folder: Folder) -> Manifest:
    """The folder's ``manifest.json``; one that holds no checksum was written by an older version, and is trusted.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is of another schema version, not a manifest, or was changed after it was written.
    """
    manifest, problems = inspect_manifest(folder)
    if changed := [problem for problem in problems if problem != NO_CHECKSUM]:
        raise ValueError(
            f"{folder}/{MANIFEST_NAME} was changed after it was written ({changed[0]}): put the original back, or "
            "start over with --fresh. If the pictures have moved, give --root instead."
        )
    return manifest


def inspect_manifest(folder: Folder) -> tuple[Manifest, list[str]]:
    """The folder's ``manifest.json`` whatever its checksum says, and what is wrong with the file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is of another schema version, or not a manifest.
    """
    if not folder.exists(MANIFEST_NAME):
        raise FileNotFoundError(f"no {MANIFEST_NAME} in {folder}: expected the --out folder of a build")
    repeated: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counted = Counter(name for name, _ in pairs)
        repeated.extend(name for name, count in counted.items() if count > 1)
        return dict(pairs)

    try:
        content = json.loads(folder.read(MANIFEST_NAME), object_pairs_hook=members)
        version = content.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"{folder}/{MANIFEST_NAME} has schema version {version}, this code reads {SCHEMA_VERSION}")
        checksum = content.pop(_CHECKSUM, None)
        manifest = Manifest.model_validate(content)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, RecursionError, ValidationError) as error:
        raise ValueError(f"{folder}/{MANIFEST_NAME} is not a manifest: {error}") from error
    problems = [f"the key {name!a} occurs twice in one object" for name in repeated]
    if checksum is None:
        problems.append(NO_CHECKSUM)
    elif checksum != _hash_of(content):
        problems.append("its checksum differs")
    return manifest, problems


def _hash_of(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def iterate_rows(folder: Folder, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """All rows in the order of parts and ids, one part in memory at a time."""
    for part in manifest.parts:
        yield from read_part(folder, part.file).to_pylist()
