"""MultiGen-20M and its relatives in Parquet: pictures and prompts, alone or with a map of depth or of classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files.fields import Record
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, worded
from cologen.datagen.datasets.files.requirements import require_split
from cologen.datagen.images.parquet.footers import open_schema
from cologen.datagen.pair_records import Condition, ConditionKind
from cologen.datagen.records import RejectedError

_SPLITS = {"train": "train", "val": "validation", "validation": "validation"}
_FOLDERS = ("Captioned_ADE20K", "Captioned_COCOStuff", "MultiGen-20M_depth", "MultiGen-20M_train")
_PICTURE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """One published set of columns, known by the column ``mark``; ``condition`` is the column of maps of ``kind``."""

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


def open_multigen_parquet(root: Path, split: str = "train") -> Dataset[Condition]:
    """``data/{train,validation}-*.parquet`` of any form; the columns of the first file decide which one.

    ``root`` may also be the folder above the dataset's own, as ADE20K has its captions beside its pictures.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """
    folder = next((root / name for name in _FOLDERS if (root / name).is_dir()), root)
    files = parquet_files(folder, require_split("multigen", split, _SPLITS))
    form = _form(files)
    pictures = [_PICTURE, *([form.condition] if form.condition else [])]
    rows = ParquetRows(root, files, pictures=pictures, values=[form.prompt])
    kinds: frozenset[ConditionKind] = frozenset([form.kind] if form.kind else [])
    return IndexedDataset(name=form.name, rows=rows, interpret=partial(_interpret, root, split, form), kinds=kinds)


def _interpret(root: Path, split: str, form: _Form, key: str, row: Record) -> Reading[Condition]:
    (prompt,) = worded([row[form.prompt]], form.prompt)
    picture = row[_PICTURE]
    width, height = images.probe(root, picture)
    condition = row[form.condition] if form.condition else None
    item = Condition(
        condition_id=key, image_uri=picture, width=width, height=height, split=split, prompt=prompt,
        kind=form.kind, condition_uri=condition, condition_size=images.probe(root, condition) if condition else None,
    )  # fmt: skip
    return Reading(item=item)


def _form(files: list[Path]) -> _Form:
    """By the first file whose footer can be read; damaged ones are counted later."""
    for path in files:
        try:
            names = open_schema(str(path)).names
        except RejectedError:
            continue
        return next((form for form in _FORMS if form.mark in names), _PLAIN)
    return _PLAIN
