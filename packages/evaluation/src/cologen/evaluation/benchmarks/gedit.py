"""GEdit-Bench: 606 real requests for edits of eleven kinds, in English and Chinese, scored by a judge (Step1X-Edit).

A score is the mean over kinds of their means. Answers that cannot be parsed, missing outputs and the language's name
are not handled as in the published script, which draws a random score, leaves out the item and finds no row.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.records import Reason, RejectedError
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.benchmarks.listing import Listing, listed, row_places, safe_id, words
from cologen.evaluation.benchmarks.options import Options, choice, refuse_others
from cologen.evaluation.metrics.catalog import gedit_o, gedit_pq, gedit_sc
from cologen.evaluation.records import Expected, Item, Question

NAME = "gedit"
TITLE = "GEdit-Bench"
OPTIONS = frozenset({"language", "split", "limit"})
TASKS = (
    "background_change", "color_alter", "material_alter", "motion_change", "ps_human", "style_change", "subject-add",
    "subject-remove", "subject-replace", "text_change", "tone_transfer",
)  # fmt: skip
LANGUAGES = ("en", "cn")
JUDGE = "Qwen/Qwen2.5-VL-72B-Instruct-AWQ"

_PICTURE = "input_image"
_VALUES = ("task_type", "key", "instruction", "instruction_language", "Intersection_exist")


def open_gedit(root: Path, options: Options) -> Benchmark:
    """``data/train-*.parquet``; ``split`` is "full", or "intersection" of what all models answer.

    Raises:
        FileNotFoundError: the folder or its Parquet files are missing.
        ValueError: an option that it does not have, or a file without one of the columns.
    """
    refuse_others(options, NAME, OPTIONS)
    language = choice(NAME, "language", options.language, LANGUAGES)
    split = choice(NAME, "split", options.split, ("full", "intersection"))
    rows = ParquetRows(root, parquet_files(root, "train"), pictures=[_PICTURE], values=_VALUES)
    listing = listed(NAME, row_places(rows, partial(_made, language, split)), options.limit)
    kinds = {item.group for item in listing.items}
    return Benchmark(
        name=NAME,
        title=f"{TITLE} ({language}, {split} set)",
        items=listing.items,
        question=partial(_question, root, listing),
        expected=partial(_expected, root, listing),
        metrics=(gedit_sc(), gedit_pq(), gedit_o()),
        protocol={
            "judge": JUDGE,
            "language": f"{language}, of {' and '.join(LANGUAGES)}",
            "split": split,
            "mean": f"over the items of a task, then over the tasks: {len(kinds)} of {len(TASKS)} are there",
            "items": listing.protocol,
            "dataset": rows.fingerprint,
        },
        rejected=listing.rejected,
        tables=("table-8-gedit",),
        notes=("Judges drift: figures of different judges, or of one judge in different months, do not compare.",),
        networks={"judge": JUDGE},
    )


def _made(language: str, split: str, _index: int, row: fields.Record) -> tuple[Item, str] | None:
    spoken = _one_of(row, "instruction_language", LANGUAGES)
    task, shared = _one_of(row, "task_type", TASKS), row.get("Intersection_exist")
    if not isinstance(shared, bool):
        raise RejectedError(
            Reason.MALFORMED_RECORD, f"Intersection_exist: expected a bool, found {fields.shown(shared)}"
        )
    if spoken != language or (split == "intersection" and not shared):
        return None
    key = safe_id(fields.named(row, "key"))
    item = Item(
        item_id=key,
        cluster=key,
        prompt=words(row, "instruction", Reason.EMPTY_INSTRUCTION),
        task="editing",
        group=task,
        output_names=(f"fullset/{task}/{language}/{key}.png",),
    )
    return item, row[_PICTURE]


def _one_of(row: fields.Record, name: str, values: tuple[str, ...]) -> str:
    value = fields.text(row, name)
    if value not in values:
        raise RejectedError(
            Reason.MALFORMED_RECORD, f"{name}: expected one of {', '.join(values)}, found {fields.shown(value)}"
        )
    return value


def _question(root: Path, listing: Listing[str], item: Item) -> Question:
    source = pictures.picture(root, listing.rows[item.item_id])
    return Question(task="editing", prompt=item.prompt, pictures=(source,))


def _expected(root: Path, listing: Listing[str], item: Item) -> Expected:
    return Expected(source=pictures.picture(root, listing.rows[item.item_id]), texts=item.texts)
