"""Captions for ADE20K, which has none: those of Captioned_ADE20K where at hand, else composed from the objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa

from cologen.datagen import noun_forms
from cologen.datagen.datasets.files import fields
from cologen.datagen.images.parquet import files as parquet_images
from cologen.datagen.images.parquet.footers import open_schema
from cologen.datagen.records import ObjectMask, Reason, RejectedError

_FOLDER = "Captioned_ADE20K"
_COLUMNS = ("image_path", "prompt")
_MAX_NOUNS = 4
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
_NO_SCENE = frozenset({"", "misc", "unknown", "~not labeled", "outliers"})
_UNCOUNTED = frozenset({"sky", "grass", "water", "sea", "sand", "earth", "land", "snow", "food", "clothes", "stairs"})


def find_caption_files(chosen: Path | None, *folders: Path) -> list[Path]:
    """The Parquet files under ``chosen``, else under the first ``Captioned_ADE20K`` in one of ``folders``; sorted.

    Raises:
        FileNotFoundError: a folder is chosen and has none.
    """
    for folder in [chosen] if chosen else [folder / _FOLDER for folder in folders]:
        if files := sorted(folder.rglob("*.parquet")):
            return files
    if chosen:
        raise FileNotFoundError(f"no Parquet file of {_FOLDER} under {chosen}")
    return []


def read_captions(files: Iterable[Path]) -> dict[str, str | None]:
    """The prompt of each picture by its file name without suffix; None where the row has none.

    Raises:
        ValueError: a file is damaged, or lacks a column.
    """
    captions: dict[str, str | None] = {}
    for path in files:
        table = _table(path)
        for name, prompt in zip(*(map(_text, table[column]) for column in _COLUMNS), strict=True):
            if name:
                captions[PurePosixPath(name).stem] = prompt
    return captions


def _table(path: Path) -> pa.Table:
    try:
        names = open_schema(str(path)).names
        if missing := [name for name in _COLUMNS if name not in names]:
            raise ValueError(f"{path} has no column {' and no column '.join(missing)}: found {', '.join(names)}")
        return parquet_images.read_columns(str(path), _COLUMNS)
    except RejectedError as error:
        raise ValueError(f"{path}: damaged captions: {error.detail}") from None


def _text(cell: pa.Scalar) -> str | None:
    """The words in a cell; None where it holds something else, or bytes that are no UTF-8."""
    try:
        value = cell.as_py()
    except (ValueError, OverflowError):  # a time that no Python object holds
        return None
    return value if isinstance(value, str) else None


def caption_of(row: fields.Record, objects: Sequence[ObjectMask]) -> str:
    """The row's ``caption`` where it has that field, else one composed from its ``scene`` and ``objects``.

    Raises:
        RejectedError: no words in it.
    """
    caption = row["caption"] if "caption" in row else compose(fields.text(row, "scene"), objects)
    words = fields.words(caption)
    if not words:
        raise RejectedError(Reason.NULL_CAPTION, "no words")
    return words


def compose(scene: str, objects: Sequence[ObjectMask]) -> str:
    """``"a bedroom with a bed, two lamps and a window"``: the scene and its largest objects; "" where there is neither.

    ``scene`` is ADE20K's own name, such as ``airport_terminal``.
    """
    place = " ".join(scene.replace("_", " ").split())
    place = "" if place in _NO_SCENE else noun_forms.with_article(place)
    things = _enumeration(_phrases(objects))
    return f"{place} with {things}" if place and things else place or things


def _phrases(objects: Sequence[ObjectMask]) -> list[str]:
    counts: dict[str, int] = {}
    areas: dict[str, float] = {}
    for item in objects:
        if item.noun:
            # Two patches of sky are one sky: regions are not counted.
            counts[item.noun] = counts.get(item.noun, 0) + 1 if item.kind == "thing" else 1
            areas[item.noun] = areas.get(item.noun, 0.0) + item.box.area
    largest = sorted(areas, key=lambda noun: -areas[noun])[:_MAX_NOUNS]
    return [_counted(noun, counts[noun]) for noun in largest]


def _counted(noun: str, count: int) -> str:
    if noun in _UNCOUNTED or not noun_forms.is_counted(noun):
        return noun
    if count == 1:
        return noun_forms.with_article(noun_forms.singular(noun))
    return f"{_NUMBERS.get(count, 'several')} {noun_forms.plural(noun)}"


def _enumeration(phrases: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(phrases[:-1]), *phrases[-1:]]))
