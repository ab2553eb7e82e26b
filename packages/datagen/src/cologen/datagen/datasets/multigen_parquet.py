"""MultiGen-20M and its relatives in Parquet: pictures and prompts, alone or with a map of depth or of classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files.pair_reading import read_condition, worded
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.requirements import require_split
from cologen.datagen.images.parquet.footers import open_schema
from cologen.datagen.pair_records import Condition, ConditionKind, ConditionReading
from cologen.datagen.records import RejectedError

_SPLITS = {"train": "train", "val": "validation", "validation": "validation"}
_FOLDERS = ("Captioned_ADE20K", "Captioned_COCOStuff", "MultiGen-20M_depth", "MultiGen-20M_train")
_PICTURE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """One published set of columns, told by the column ``mark``; ``condition`` is the column of maps of ``kind``."""

    name: str
    mark: str
    prompt: str
    condition: str | None = None
    kind: ConditionKind | None = None


_FORMS = (
    _Form(name="multigen_depth", mark="control_depth", prompt="text", condition="control_depth", kind="depth"),
    _Form(name="cocostuff", mark="panoptic_seg_map", prompt="prompt", condition="control_seg", kind="segmentation"),
    _Form(name="ade20k", mark="control_seg", prompt="prompt", condition="control_seg", kind="segmentation"),
)
_PLAIN = _Form(name="multigen", mark="text", prompt="text")


class MultiGenParquet:
    """``data/{train,validation}-*.parquet`` of any form; which one is told by the columns of the first file.

    ``root`` may also be the folder above the dataset's own, as ADE20K has its captions beside its pictures.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, split
        folder = next((root / name for name in _FOLDERS if (root / name).is_dir()), root)
        files = parquet_files(folder, require_split("multigen", split, _SPLITS))
        self._form = _form(files)
        self.name = self._form.name
        self.kinds: frozenset[ConditionKind] = frozenset([self._form.kind] if self._form.kind else [])
        pictures = [_PICTURE, *([self._form.condition] if self._form.condition else [])]
        self._rows = ParquetRows(root, files, pictures=pictures, values=[self._form.prompt])

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> ConditionReading:
        """The row at ``index``, named by its file and place in it."""
        return read_condition(self.name, self._rows.key(index), partial(self._interpret, index))

    def fingerprint(self) -> str:
        """A hash of the files' words and footers: see ``ParquetRows``."""
        return self._rows.fingerprint()

    def _interpret(self, index: int) -> ConditionReading:
        form = self._form
        (prompt,) = worded([self._rows.read(index)[form.prompt]], form.prompt)
        picture = self._rows.uri(index, _PICTURE)
        width, height = images.probe(self._root, picture)
        condition = self._rows.uri(index, form.condition) if form.condition else None
        found = Condition(
            condition_id=self._rows.key(index), image_uri=picture, width=width, height=height,
            split=self._split, prompt=prompt, kind=form.kind, condition_uri=condition,
            condition_size=images.probe(self._root, condition) if condition else None,
        )  # fmt: skip
        return ConditionReading(condition=found)


def _form(files: list[Path]) -> _Form:
    """By the first file whose footer can be read; damaged ones are counted later."""
    for path in files:
        try:
            names = open_schema(str(path)).names
        except RejectedError:
            continue
        return next((form for form in _FORMS if form.mark in names), _PLAIN)
    return _PLAIN
