"""MagicBrush: pictures edited by hand in up to three turns; training in Parquet, the test set in folders of PNG."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files import fields, json_scan
from cologen.datagen.datasets.files.index import Listing, Row, open_index
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, survivors, worded
from cologen.datagen.datasets.files.requirements import first_folder, require_file, require_split
from cologen.datagen.images import addresses
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Reason

NAME = "magicbrush"
_SPLITS = {"train": "train", "val": "dev", "dev": "dev"}


def open_magicbrush(root: Path, split: str = "train") -> Dataset[Pair]:
    """The split "test" from its folders, any other from Parquet.

    A mask that cannot be read is counted as ``…@mask``, and the pair stays.

    Raises:
        FileNotFoundError, ValueError: as the two forms.
    """
    return open_folders(root) if split == "test" else open_tables(root, split)


def open_tables(root: Path, split: str = "train") -> Dataset[Pair]:
    """``data/{train,dev}-*.parquet``, a row for each turn of a session.

    Columns are ``img_id``, ``turn_index``, ``source_img``, ``mask_img``, ``instruction`` and ``target_img``. A pair is
    named by its file, row, session and turn: ``train-00000-of-00051/000017-12-1``.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """
    files = parquet_files(root, require_split(NAME, split, _SPLITS))
    pictures = ["source_img", "mask_img", "target_img"]
    rows = ParquetRows(root, files, pictures=pictures, values=["img_id", "turn_index", "instruction"])
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_of_row, root, split))


def open_folders(root: Path) -> Dataset[Pair]:
    """What ``test.zip`` holds: ``test/edit_turns.json`` and ``test/images/<id>/<id>-{input,maskN,outputN}.png``.

    ``root`` may also be ``test`` itself. Pairs come in the order of the target's names; malformed turns have places of
    their own.

    Raises:
        FileNotFoundError: the folder of pictures or the list of turns is missing.
        ValueError: the list is no JSON array.
    """
    folder = first_folder(root, ["test/images", "images"])
    turns = require_file(folder.parent / "edit_turns.json", root)
    rows = open_index(root, [turns], [NAME, "test"], partial(_list_turns, turns))
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_of_turn, root, folder.relative_to(root).as_posix()))


def _of_row(root: Path, split: str, key: str, row: fields.Record) -> Reading[Pair]:
    pair_id = f"{key}-{fields.named(row, 'img_id')}-{fields.named(row, 'turn_index')}"
    uris = [row[column] for column in ("source_img", "mask_img", "target_img")]
    return _pair(root, pair_id, split, row["instruction"], *uris)


def _of_turn(root: Path, pictures: str, key: str, payload: bytes) -> Reading[Pair]:
    turn = fields.parse_record(payload)
    names = [fields.text(turn, name) for name in ("input", "mask", "output")]
    uris = [addresses.address(f"{pictures}/{name.partition('-')[0]}/{name}") for name in names]
    return _pair(root, key, "test", turn.get("instruction"), *uris)


def _pair(root: Path, key: str, split: str, instruction: object, source: str, mask: str, target: str) -> Reading[Pair]:
    words = worded([instruction], "instruction", Reason.EMPTY_INSTRUCTION)
    size = images.probe(root, source)
    width, height = images.probe(root, target)
    masks, rejections = survivors(f"{NAME}/{key}", [("mask", partial(_checked_mask, root, mask, size))])
    pair = Pair(
        pair_id=key, source_uri=source, target_uri=target, mask_uri=next(iter(masks), None),
        width=width, height=height, source_size=size, split=split, instructions=words,
    )  # fmt: skip
    return Reading(item=pair, rejections=rejections)


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
