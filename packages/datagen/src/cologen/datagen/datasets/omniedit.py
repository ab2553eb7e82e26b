"""OmniEdit: an edited picture, its source, several phrasings of the edit, and scores of its success; in Parquet."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.pair_reading import read_pair, worded
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.requirements import require_split
from cologen.datagen.pair_records import Pair, PairReading, Scores
from cologen.datagen.records import Reason

_SPLITS = {"train": "train", "val": "dev", "dev": "dev"}
_SCORES = ("sc_score_1", "sc_score_2", "pq_score", "o_score")


class OmniEdit:
    """``data/{train,dev}-*.parquet`` with ``src_img``, ``edited_img``, ``edited_prompt_list``, ``task`` and the scores.

    The task is the pair's ``edit_type``: addition, removal, swap, attribute_modification, env, style, background.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """

    name = "omniedit"

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, split
        files = parquet_files(root, require_split(self.name, split, _SPLITS))
        values = ["task", "edited_prompt_list", *_SCORES]
        self._rows = ParquetRows(root, files, pictures=["src_img", "edited_img"], values=values)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> PairReading:
        """The pair at ``index``, named by its file and row."""
        return read_pair(self.name, self._rows.key(index), partial(self._interpret, index))

    def fingerprint(self) -> str:
        """A hash of the files' words and footers: see ``ParquetRows``."""
        return self._rows.fingerprint()

    def _interpret(self, index: int) -> PairReading:
        values = self._rows.read(index)
        said = fields.items(values, "edited_prompt_list")
        words = worded(said, "edited_prompt_list", Reason.EMPTY_INSTRUCTION)
        source, target = self._rows.uri(index, "src_img"), self._rows.uri(index, "edited_img")
        width, height = images.probe(self._root, target)
        pair = Pair(
            pair_id=self._rows.key(index), source_uri=source, target_uri=target, width=width, height=height,
            source_size=images.probe(self._root, source), split=self._split, instructions=words,
            edit_type=fields.words(values.get("task")) or None, scores=_scores(values),
        )  # fmt: skip
        return PairReading(pair=pair)


def _scores(values: fields.Record) -> Scores:
    return tuple((name, fields.number(values, name)) for name in _SCORES if values.get(name) is not None)
