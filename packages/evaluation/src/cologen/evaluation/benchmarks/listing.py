"""From a dataset's rows to a benchmark's items: what cannot be used is rejected with a reason, the order is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cologen.datagen.datasets.files import fields, text_files
from cologen.datagen.datasets.files.parquet_rows import ParquetRows
from cologen.datagen.records import Reason, RejectedError, Rejection
from cologen.evaluation.records import Item, is_item_id

STAGE = "listing"
"""The stage that rejections of a benchmark name."""

Row = TypeVar("Row")
"""What a benchmark keeps of an item: the addresses of its pictures."""
Made = tuple[Item, Row] | None
"""An item and its row; None for a row that belongs to another choice of the dataset's (another language)."""
Place = tuple[str, Callable[[], Made[Row]]]
"""The key of a row, and what makes an item of it or raises ``RejectedError``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Row]):
    """The items in the order of the dataset, the row of each by its id, and what was rejected on the way."""

    items: tuple[Item, ...]
    rows: Mapping[str, Row]
    rejected: tuple[Rejection, ...]
    num_found: int
    """Items before the limit."""

    @property
    def protocol(self) -> str:
        """How many items there are, and of how many."""
        chosen = f"the first {len(self.items):,} of " if len(self.items) < self.num_found else ""
        return f"{chosen}{self.num_found:,} ({len(self.rejected):,} rows rejected)"


def listed(benchmark: str, places: Iterable[Place[Row]], limit: int | None = None) -> Listing[Row]:
    """The items of all places; a second item of one id is rejected.

    Raises:
        ValueError: there is no item at all.
    """
    items, rows, rejected = list[Item](), dict[str, Row](), list[Rejection]()
    for key, make in places:
        try:
            made = _new(make, rows)
        except RejectedError as error:
            rejected.append(error.of(f"{benchmark}/{key}", STAGE))
            continue
        if made is not None:
            items.append(made[0])
            rows[made[0].item_id] = made[1]
    if not items:
        why = (
            f"{len(rejected):,} rows were rejected, the first as {rejected[0].reason} ({rejected[0].detail})"
            if rejected
            else "its list is empty"
        )
        raise ValueError(f"{benchmark} has no items: {why}")
    kept = tuple(items[:limit])
    return Listing(items=kept, rows=rows, rejected=tuple(rejected), num_found=len(items))


def _new(make: Callable[[], Made[Row]], rows: Mapping[str, Row]) -> Made[Row]:
    made = make()
    if made is not None and made[0].item_id in rows:
        raise RejectedError(Reason.DUPLICATE_ID, f"{made[0].item_id} is listed before")
    return made


def row_places(rows: ParquetRows, interpret: Callable[[int, fields.Record], Made[Row]]) -> Iterator[Place[Row]]:
    """A place for each row of Parquet files; ``interpret`` takes its number and what ``rows.row`` gives."""
    for index in range(len(rows)):
        yield rows.key(index), lambda index=index: interpret(index, rows.row(index))


def safe_id(text: str) -> str:
    """The text, if an item can have it for its id.

    Raises:
        RejectedError: it cannot.
    """
    if not is_item_id(text):
        raise RejectedError(Reason.UNSAFE_PATH, f"{fields.shown(text)} is no name that an item can have")
    return text


def words(row: fields.Record, name: str, missing: Reason = Reason.NULL_CAPTION) -> str:
    """The words in a row's field, on one line, of any length.

    Raises:
        RejectedError: there are none.
    """
    found = fields.words(row.get(name))
    if not found:
        raise RejectedError(missing, f"{name}: no words")
    return found


def json_object(path: Path) -> fields.Record:
    """The object that a small JSON file is.

    Raises:
        ValueError: it is none.
    """
    data = path.read_bytes()
    try:
        return fields.parse_record(data[text_files.start(data, path) :])
    except RejectedError as error:
        raise ValueError(f"{path}: expected a JSON object: {error.detail}") from None


def fingerprint(*files: Path) -> str:
    """A hash of the content of a dataset's lists."""
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        data = path.read_bytes()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
