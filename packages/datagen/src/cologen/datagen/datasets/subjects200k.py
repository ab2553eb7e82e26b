"""Subjects200K: two pictures of one subject side by side in one image; each row is a pair in both directions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.pair_reading import read_pair, worded
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.requirements import require_split
from cologen.datagen.pair_records import Pair, PairReading, Scores
from cologen.datagen.records import Box, Reason, RejectedError

PADDING = 8
"""Pixels of black around each picture, and once more twice as many at the right end."""

_SPLITS = {"train": "train", "val": "validation"}
_SCORES = ("compositeStructure", "objectConsistency", "imageQuality")


class Subjects200K:
    """``data/train-*.parquet``; index ``2 i`` is row ``i`` from left to right, ``2 i + 1`` from right to left.

    The instruction is the target's description. ``quality_assessment`` becomes ``scores``; a pair that was never
    judged has none. Published is the split "train" alone.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """

    name = "subjects200k"

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, split
        files = parquet_files(root, require_split(self.name, split, _SPLITS))
        values = ["collection", "quality_assessment", "description"]
        self._rows = ParquetRows(root, files, pictures=["image"], values=values)

    def __len__(self) -> int:
        return 2 * len(self._rows)

    def read(self, index: int) -> PairReading:
        """The pair at ``index``, named by its file, row and direction: ``…-forth`` or ``…-back``."""
        row, back = divmod(index, 2)
        key = f"{self._rows.key(row)}-{'back' if back else 'forth'}"
        return read_pair(self.name, key, partial(self._interpret, row, key, bool(back)))

    def fingerprint(self) -> str:
        """A hash of the files' words and footers: see ``ParquetRows``."""
        return self._rows.fingerprint()

    def _interpret(self, row: int, key: str, back: bool) -> PairReading:
        values = self._rows.read(row)
        description = fields.record(values, "description")
        words = worded([description.get("description_0" if back else "description_1")], "description")
        uri = self._rows.uri(row, "image")
        boxes = halves(*images.probe(self._root, uri))
        source, target = reversed(boxes) if back else boxes
        size = int(target.width), int(target.height)
        pair = Pair(
            pair_id=key, source_uri=uri, target_uri=uri, source_box=source, target_box=target,
            width=size[0], height=size[1], source_size=size, split=self._split, instructions=words,
            subject=fields.words(description.get("item")) or None,
            scores=_scores(values.get("quality_assessment")),
        )  # fmt: skip
        return PairReading(pair=pair)


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
