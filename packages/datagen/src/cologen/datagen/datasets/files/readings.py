"""A dataset as a sequence of readings: ``Dataset``, and ``IndexedDataset``, which is every dataset on disk.

Rejections are caught here and nowhere else in ``datasets``, so that each is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from cologen.datagen.datasets.files import fields
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.records import Reason, RejectedError, Rejection

Item = TypeVar("Item")
"""``Image``, ``Pair`` or ``Condition``."""
Row = TypeVar("Row")
RowRead = TypeVar("RowRead", covariant=True)
_Part = TypeVar("_Part")

STAGE = "source"
"""The stage that rejections name, as manifests have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[Item]):
    """The result of reading one index of a dataset: an item or None, and every rejection on the way to it."""

    item: Item | None
    rejections: tuple[Rejection, ...] = ()


@runtime_checkable
class Dataset(Protocol[Item]):
    """A dataset on disk as a sequence of readings.

    Opening is cheap and the same everywhere, so that each worker opens its own; ``read`` never raises for bad data.
    """

    @property
    def name(self) -> str:
        """Its name on the command lines and in sample ids."""
        ...

    @property
    def annotated(self) -> bool:
        """Whether objects come with the pictures; otherwise they have to be detected first."""
        ...

    @property
    def kinds(self) -> frozenset[ConditionKind]:
        """The kinds of conditions that it has maps of."""
        ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> Reading[Item]:
        """The item at ``index``, pixels not decoded."""
        ...

    def fingerprint(self) -> str:
        """A hash of the dataset's lists: the content of the files that name its pictures and hold their words.

        It changes when an index would mean another picture, or other words or annotations. Pictures are not hashed, nor
        the content of files that exist once per picture (label maps, ADE20K's JSON): of those only the names count.
        """
        ...


@runtime_checkable
class Rows(Protocol[RowRead]):
    """What a dataset lists: ``Index`` (rows are bytes) or ``ParquetRows`` (rows are records)."""

    @property
    def fingerprint(self) -> str:
        """See ``Dataset.fingerprint``."""
        ...

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """What names the row within its dataset."""
        ...

    def row(self, index: int) -> RowRead:
        """The row.

        Raises:
            RejectedError: it cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedDataset(Generic[Item, Row]):
    """The dataset ``name`` of which ``interpret`` makes a reading from each row's key and content."""

    name: str
    rows: Rows[Row]
    interpret: Callable[[str, Row], Reading[Item]]
    annotated: bool = False
    kinds: frozenset[ConditionKind] = frozenset()

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> Reading[Item]:
        """The reading of row ``index``; a row that cannot be used is one rejection ``name/key``."""
        key = self.rows.key(index)
        try:
            return self.interpret(key, self.rows.row(index))
        except RejectedError as error:
            return Reading(item=None, rejections=(error.of(f"{self.name}/{key}", STAGE),))

    def fingerprint(self) -> str:
        """The rows' own."""
        return self.rows.fingerprint


def survivors(
    sample_id: str, parts: Iterable[tuple[str, Callable[[], _Part]]]
) -> tuple[tuple[_Part, ...], tuple[Rejection, ...]]:
    """Each part that can be made, and a rejection ``sample_id@name`` for each that cannot."""
    made: list[_Part] = []
    rejections: list[Rejection] = []
    for name, make in parts:
        try:
            made.append(make())
        except RejectedError as error:
            rejections.append(error.of(f"{sample_id}@{name}", STAGE))
    return tuple(made), tuple(rejections)


def worded(values: Iterable[Any], name: str, missing: Reason = Reason.NULL_CAPTION) -> tuple[str, ...]:
    """Those of ``values`` that have words, on one line each and no two the same.

    Raises:
        RejectedError: none has, which is ``missing``; ``name`` is what they are called.
    """
    found = tuple(dict.fromkeys(filter(None, map(fields.words, values))))
    if not found:
        raise RejectedError(missing, f"{name}: no words")
    return found
