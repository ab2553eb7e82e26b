"""MagicBrush: pictures edited by hand in up to three turns; training in Parquet, the test set in folders of PNG."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files import fields, json_scan
from cologen.datagen.datasets.files.index import Listing, Row, open_index
from cologen.datagen.datasets.files.pair_reading import read_pair, worded
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.readings import survivors
from cologen.datagen.datasets.files.requirements import first_folder, require_file, require_split
from cologen.datagen.images import addresses
from cologen.datagen.pair_records import Pair, PairReading, PairSource
from cologen.datagen.records import Reason, RejectedError

_SPLITS = {"train": "train", "val": "dev", "dev": "dev"}
_NAME = "magicbrush"


def open_magicbrush(root: Path, split: str = "train") -> PairSource:
    """The split "test" from its folders, any other from Parquet.

    Raises:
        FileNotFoundError, ValueError: as the two sources.
    """
    return MagicBrushTest(root) if split == "test" else MagicBrush(root, split)


class MagicBrush:
    """``data/{train,dev}-*.parquet``, a row for each turn of a session.

    Columns are ``img_id``, ``turn_index``, ``source_img``, ``mask_img``, ``instruction`` and ``target_img``.

    A mask that cannot be read is counted as ``…@mask``, and the pair stays.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """

    name = _NAME

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, split
        files = parquet_files(root, require_split(self.name, split, _SPLITS))
        pictures = ["source_img", "mask_img", "target_img"]
        self._rows = ParquetRows(root, files, pictures=pictures, values=["img_id", "turn_index", "instruction"])

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> PairReading:
        """The pair at ``index``, named by its file, row, session and turn: ``train-00000-of-00051/000017-12-1``."""
        return read_pair(self.name, self._rows.key(index), partial(self._interpret, index))

    def fingerprint(self) -> str:
        """A hash of the files' words and footers: see ``ParquetRows``."""
        return self._rows.fingerprint()

    def _interpret(self, index: int) -> PairReading:
        values = self._rows.read(index)
        key = f"{self._rows.key(index)}-{fields.named(values, 'img_id')}-{fields.named(values, 'turn_index')}"
        uris = [self._rows.uri(index, column) for column in ("source_img", "mask_img", "target_img")]
        return _pair(self._root, key, self._split, values["instruction"], *uris)


class MagicBrushTest:
    """What ``test.zip`` holds: ``test/edit_turns.json`` and ``test/images/<id>/<id>-{input,maskN,outputN}.png``.

    ``root`` may also be ``test`` itself. A mask that cannot be read is counted as ``…@mask``, and the pair stays.

    Raises:
        FileNotFoundError: the folder of pictures or the list of turns is missing.
        ValueError: the list is no JSON array.
    """

    name = _NAME

    def __init__(self, root: Path) -> None:
        self._root = root
        folder = first_folder(root, ["test/images", "images"])
        self._images = folder.relative_to(root).as_posix()
        turns = require_file(folder.parent / "edit_turns.json", root)
        self._rows = open_index(root, [turns], [self.name, "test"], partial(_list_turns, turns))

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> PairReading:
        """The pair at ``index`` in the order of the target's names; malformed turns have places of their own."""
        return read_pair(self.name, self._rows.key(index), partial(self._interpret, index))

    def fingerprint(self) -> str:
        """A hash of the content of the list."""
        return self._rows.fingerprint

    def _interpret(self, index: int) -> PairReading:
        key = self._rows.key(index)
        if self._rows.repeats(index):
            raise RejectedError(Reason.DUPLICATE_ID, f"{key} is listed before")
        turn = fields.parse_record(self._rows.payload(index))
        names = [fields.text(turn, name) for name in ("input", "mask", "output")]
        uris = [addresses.address(f"{self._images}/{name.partition('-')[0]}/{name}") for name in names]
        return _pair(self._root, key, "test", turn.get("instruction"), *uris)


def _pair(root: Path, key: str, split: str, instruction: object, source: str, mask: str, target: str) -> PairReading:
    words = worded([instruction], "instruction", Reason.EMPTY_INSTRUCTION)
    size = images.probe(root, source)
    width, height = images.probe(root, target)
    masks, rejections = survivors(f"{_NAME}/{key}", [("mask", partial(_checked_mask, root, mask, size))])
    pair = Pair(
        pair_id=key, source_uri=source, target_uri=target, mask_uri=next(iter(masks), None),
        width=width, height=height, source_size=size, split=split, instructions=words,
    )  # fmt: skip
    return PairReading(pair=pair, rejections=rejections)


def _checked_mask(root: Path, uri: str, size: tuple[int, int]) -> str:
    images.probe(root, uri, size)
    return uri


def _list_turns(path: Path) -> Listing:
    return Listing(rows=_turns(path))


def _turns(path: Path) -> Iterator[Row]:
    file = json_scan.mapped(path)
    for place, element in enumerate(json_scan.array_elements(file, path, "turns")):
        turn = fields.parse_or_mark(file[element.start : element.end])
        output = turn.get("output") if isinstance(turn, dict) else None
        known = isinstance(output, str) and output.isprintable()
        yield str(output).removesuffix(".png") if known else f"turn-{place:06d}", file[element.start : element.end]
