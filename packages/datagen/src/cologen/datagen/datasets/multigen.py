"""MultiGen-20M as UniControl released it: JSON lines for each kind of condition, pictures and maps in folders.

Of the lists, those of canny, depth, HED and segmentation are read; the others (sketch, normal, pose, box) are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.index import open_lines
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, worded
from cologen.datagen.datasets.files.requirements import first_folder, require_split
from cologen.datagen.images import addresses
from cologen.datagen.pair_records import Condition, ConditionKind
from cologen.datagen.records import RejectedError

TASKS: Mapping[str, ConditionKind] = MappingProxyType(
    {"canny": "canny", "depth": "depth", "hed": "hed", "seg": "segmentation", "segbase": "segmentation"}
)
"""The lists' own names of the kinds."""
_DRAWN_ANEW = frozenset(("canny", "hed"))
"""Kinds that are made of the picture itself, so that a sample needs no map of them."""

FOLDERS = ("dataset/json_files", "json_files", "multigen20m/dataset/json_files")
"""Where the lists may be below a root."""
NAME = "multigen"
_SPLITS = {"train": "train"}


def open_multigen(root: Path, split: str = "train") -> Dataset[Condition]:
    """``dataset/{json_files,images,conditions}``; ``root`` may also be ``dataset`` or the folder above ``multigen20m``.

    A picture that is in several lists comes once for each of its conditions, whose sizes differ from its own. Maps
    of canny and HED need not be there: without a usable one the picture comes without a condition. Conditions are named
    by list and line: ``hed/000000017``.

    Raises:
        FileNotFoundError: there is no such folder, or none of the lists in it.
        ValueError: an unknown split.
    """
    require_split(NAME, split, _SPLITS)
    folder = first_folder(root, FOLDERS)
    files = {task: folder / f"aesthetics_plus_all_group_{task}_all.json" for task in TASKS}
    lists = {task: path for task, path in files.items() if path.is_file()}
    if not lists:
        raise FileNotFoundError(f"none of {', '.join(path.name for path in files.values())} in {folder}")
    line = _Line(root=root, split=split, folder=folder.parent.relative_to(root))
    kinds: frozenset[ConditionKind] = frozenset(TASKS[task] for task in lists)
    return IndexedDataset(name=NAME, rows=open_lines(root, lists), interpret=line.reading, kinds=kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Interprets a line of a list; ``folder`` is the dataset's below the root."""

    root: Path
    split: str
    folder: Path

    def reading(self, key: str, payload: bytes) -> Reading[Condition]:
        """The picture of a line with its map, or without one where a sample needs none."""
        task = key.partition("/")[0]
        line = fields.parse_record(payload)
        picture = self._uri("images", fields.text(line, "source"))
        (prompt,) = worded([line.get("prompt")], "prompt")
        width, height = images.probe(self.root, picture)
        condition = Condition(
            condition_id=key, image_uri=picture, width=width, height=height, split=self.split, prompt=prompt
        )
        try:
            return Reading(item=replace(condition, **self._map_of(line, task)))
        except RejectedError:
            if TASKS[task] not in _DRAWN_ANEW:
                raise
            return Reading(item=condition)

    def _map_of(self, line: fields.Record, task: str) -> dict[str, Any]:
        """What a ``Condition`` says of its map."""
        # Both lists of segmentations have the same field.
        uri = self._uri("conditions", fields.text(line, f"control_{'seg' if task == 'segbase' else task}"))
        return {"kind": TASKS[task], "condition_uri": uri, "condition_size": images.probe(self.root, uri)}

    def _uri(self, folder: str, path: str) -> str:
        return addresses.address((self.folder / folder / addresses.normal(path)).as_posix())
