"""Subjects200K: two pictures of one subject side by side in one image; each row is a pair in both directions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, worded
from cologen.datagen.datasets.files.requirements import require_split
from cologen.datagen.pair_records import Pair, Scores
from cologen.datagen.records import Box, Reason, RejectedError

PADDING = 8
"""Pixels of black around each picture, and once more twice as many at the right end."""

NAME = "subjects200k"
_SPLITS = {"train": "train", "val": "validation"}
_SCORES = ("compositeStructure", "objectConsistency", "imageQuality")
_BACK = "-back"


def open_subjects200k(root: Path, split: str = "train") -> Dataset[Pair]:
    """``data/train-*.parquet``; index ``2 i`` is row ``i`` from left to right, ``2 i + 1`` from right to left.

    The instruction is the target's description. ``quality_assessment`` becomes ``scores``; a pair that was never
    judged has none. Published is the split "train" alone.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """
    files = parquet_files(root, require_split(NAME, split, _SPLITS))
    values = ["collection", "quality_assessment", "description"]
    rows = _BothWays(ParquetRows(root, files, pictures=["image"], values=values))
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_interpret, root, split))


class _BothWays:
    """Each row twice, under the keys ``…-forth`` and ``…-back``."""

    def __init__(self, rows: ParquetRows) -> None:
        self._rows, self.fingerprint = rows, rows.fingerprint

    def __len__(self) -> int:
        return 2 * len(self._rows)

    def key(self, index: int) -> str:
        """The key of the row, and the direction."""
        return self._rows.key(index // 2) + (_BACK if index % 2 else "-forth")

    def row(self, index: int) -> fields.Record:
        """The row itself, the same in both directions."""
        return self._rows.row(index // 2)


def _interpret(root: Path, split: str, key: str, row: fields.Record) -> Reading[Pair]:
    back = key.endswith(_BACK)
    description = fields.record(row, "description")
    words = worded([description.get("description_0" if back else "description_1")], "description")
    uri = row["image"]
    boxes = halves(*images.probe(root, uri))
    source, target = reversed(boxes) if back else boxes
    size = int(target.width), int(target.height)
    pair = Pair(
        pair_id=key, source_uri=uri, target_uri=uri, source_box=source, target_box=target,
        width=size[0], height=size[1], source_size=size, split=split, instructions=words,
        subject=fields.words(description.get("item")) or None,
        scores=_scores(row.get("quality_assessment")),
    )  # fmt: skip
    return Reading(item=pair)


def halves(width: int, height: int) -> tuple[Box, Box]:
    """The two pictures in an image of ``width × height`` pixels.

    Published are images of 1056 × 528: the left picture is (8, 8, 520, 520), the right one (528, 8, 1040, 520).

    Raises:
        RejectedError: the size cannot be that of two pictures side by side.
    """
    side, odd = divmod(width - 4 * PADDING, 2)
    bottom = height - PADDING
    if odd or min(side, bottom - PADDING) < images.MIN_SIDE:
        raise RejectedError(Reason.SIZE_MISMATCH, f"{width}x{height} are no two pictures with borders of {PADDING}")
    left, right = float(PADDING), float(2 * PADDING + side)
    return (
        Box(x0=left, y0=left, x1=left + side, y1=float(bottom)),
        Box(x0=right, y0=left, x1=right + side, y1=float(bottom)),
    )


def _scores(judged: object) -> Scores:
    if judged is None:
        return ()
    record = fields.as_record(judged, "quality_assessment")
    return tuple((name, fields.number(record, name)) for name in _SCORES if record.get(name) is not None)
