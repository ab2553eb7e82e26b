"""MultiGen-20M as UniControl released it: JSON lines for each kind of condition, pictures and maps in folders.

Of the lists, those of canny, depth, HED and segmentation are read; the others (sketch, normal, pose, box) are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.json_lines import open_lines
from cologen.datagen.datasets.files.pair_reading import read_condition, worded
from cologen.datagen.datasets.files.requirements import first_folder, require_split
from cologen.datagen.images import addresses
from cologen.datagen.pair_records import Condition, ConditionKind, ConditionReading
from cologen.datagen.records import RejectedError

TASKS: Mapping[str, ConditionKind] = MappingProxyType(
    {"canny": "canny", "depth": "depth", "hed": "hed", "seg": "segmentation", "segbase": "segmentation"}
)
"""The lists' own names of the kinds."""
_DRAWN_ANEW = frozenset(("canny", "hed"))
"""Kinds that are made of the picture itself, so that a sample needs no map of them."""

FOLDERS = ("dataset/json_files", "json_files", "multigen20m/dataset/json_files")
"""Where the lists may lie below a root."""
_SPLITS = {"train": "train"}


class MultiGen:
    """``dataset/{json_files,images,conditions}``; ``root`` may also be ``dataset`` or the folder above ``multigen20m``.

    A picture that stands in several lists comes once for each of its conditions, whose sizes differ from its own. Maps
    of canny and HED need not be there: without a usable one the picture comes without a condition.

    Raises:
        FileNotFoundError: there is no such folder, or none of the lists in it.
        ValueError: an unknown split.
    """

    name = "multigen"

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, require_split(self.name, split, _SPLITS)
        folder = first_folder(root, FOLDERS)
        self._folder = folder.parent.relative_to(root)
        files = {task: folder / f"aesthetics_plus_all_group_{task}_all.json" for task in TASKS}
        found = {task: path for task, path in files.items() if path.is_file()}
        if not found:
            raise FileNotFoundError(f"none of {', '.join(path.name for path in files.values())} in {folder}")
        self.kinds: frozenset[ConditionKind] = frozenset(TASKS[task] for task in found)
        self._lines = open_lines(root, found)

    def __len__(self) -> int:
        return len(self._lines)

    def read(self, index: int) -> ConditionReading:
        """The line at ``index``, named by its list and its number: ``hed/000000017``."""
        return read_condition(self.name, self._lines.key(index), partial(self._interpret, index))

    def fingerprint(self) -> str:
        """A hash of the content of the lists."""
        return self._lines.fingerprint

    def _interpret(self, index: int) -> ConditionReading:
        key = self._lines.key(index)
        task = key.partition("/")[0]
        line = fields.parse_record(self._lines.payload(index))
        picture = self._uri("images", fields.text(line, "source"))
        (prompt,) = worded([line.get("prompt")], "prompt")
        width, height = images.probe(self._root, picture)
        found = Condition(
            condition_id=key, image_uri=picture, width=width, height=height, split=self._split, prompt=prompt
        )
        try:
            return ConditionReading(condition=replace(found, **self._map_of(line, task)))
        except RejectedError:
            if TASKS[task] not in _DRAWN_ANEW:
                raise
            return ConditionReading(condition=found)

    def _map_of(self, line: fields.Record, task: str) -> dict[str, Any]:
        """What a ``Condition`` says of its map."""
        # Both lists of segmentations have the same field.
        uri = self._uri("conditions", fields.text(line, f"control_{'seg' if task == 'segbase' else task}"))
        return {"kind": TASKS[task], "condition_uri": uri, "condition_size": images.probe(self._root, uri)}

    def _uri(self, folder: str, path: str) -> str:
        return addresses.address((self._folder / folder / addresses.normal(path)).as_posix())
