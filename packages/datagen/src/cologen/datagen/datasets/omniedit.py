"""OmniEdit: an edited picture, its source, several phrasings of the edit, and scores of its success; in Parquet."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, worded
from cologen.datagen.datasets.files.requirements import require_split
from cologen.datagen.pair_records import Pair, Scores
from cologen.datagen.records import Reason

NAME = "omniedit"
_SPLITS = {"train": "train", "val": "dev", "dev": "dev"}
_SCORES = ("sc_score_1", "sc_score_2", "pq_score", "o_score")


def open_omniedit(root: Path, split: str = "train") -> Dataset[Pair]:
    """``data/{train,dev}-*.parquet`` with ``src_img``, ``edited_img``, ``edited_prompt_list``, ``task`` and the scores.

    The task is the pair's ``edit_type``: addition, removal, swap, attribute_modification, env, style, background.

    Raises:
        FileNotFoundError: the root or its Parquet files are missing.
        ValueError: an unknown split, or a file without one of the columns.
    """
    files = parquet_files(root, require_split(NAME, split, _SPLITS))
    values = ["task", "edited_prompt_list", *_SCORES]
    rows = ParquetRows(root, files, pictures=["src_img", "edited_img"], values=values)
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_interpret, root, split))


def _interpret(root: Path, split: str, key: str, row: fields.Record) -> Reading[Pair]:
    words = worded(fields.items(row, "edited_prompt_list"), "edited_prompt_list", Reason.EMPTY_INSTRUCTION)
    source, target = row["src_img"], row["edited_img"]
    width, height = images.probe(root, target)
    pair = Pair(
        pair_id=key, source_uri=source, target_uri=target, width=width, height=height,
        source_size=images.probe(root, source), split=split, instructions=words,
        edit_type=fields.words(row.get("task")) or None, scores=_scores(row),
    )  # fmt: skip
    return Reading(item=pair)


def _scores(values: fields.Record) -> Scores:
    return tuple((name, fields.number(values, name)) for name in _SCORES if values.get(name) is not None)
