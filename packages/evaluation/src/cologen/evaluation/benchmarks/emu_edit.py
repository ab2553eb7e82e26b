"""Emu Edit's test set: instructions on photographs, with captions of what is there and what should be (Sheynin 2024).

No script was published, and papers disagree on everything: this is OmniGen's reading of it (CLIP ViT-L/14, 512 pixels,
output against source), with options for the others. The set has no targets, so there is no oracle.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.records import Reason, RejectedError
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.benchmarks.listing import Listing, listed, row_places, safe_id, words
from cologen.evaluation.benchmarks.options import Options, choice, refuse_others
from cologen.evaluation.metrics.catalog import clip_image, clip_text, dino, l1
from cologen.evaluation.records import Expected, Item, Question

NAME = "emu_edit"
TITLE = "Emu Edit test"
OPTIONS = frozenset({"reference", "clip", "drop_identical_captions", "size", "split", "limit"})
CLIP, DINO, SIZE = "openai/clip-vit-large-patch14", "facebook/dino-vits16", 512

_PICTURE = "image"
_VALUES = ("instruction", "task", "idx", "hash", "split", "input_caption", "output_caption")

_Row = tuple[str, str]
"""The address of the picture, and the split that the row itself names."""


def open_emu_edit(root: Path, options: Options) -> Benchmark:
    """``data/{test,validation}-*.parquet``.

    Raises:
        FileNotFoundError: the folder or its Parquet files are missing.
        ValueError: an option that it does not have, or a file without one of the columns.
    """
    refuse_others(options, NAME, OPTIONS)
    choice(NAME, "reference", options.reference, ("source",))
    split = choice(NAME, "split", options.split, ("test", "validation"))
    size, drops = options.size or SIZE, bool(options.drop_identical_captions)
    rows = ParquetRows(root, parquet_files(root, split), pictures=[_PICTURE], values=_VALUES)
    listing = listed(NAME, row_places(rows, partial(_made, drops)), options.limit)
    networks = {"clip": options.clip or CLIP, "dino": DINO}
    return Benchmark(
        name=NAME,
        title=f"{TITLE} ({split})" if split != "test" else TITLE,
        items=listing.items,
        question=partial(_question, root, listing, size),
        expected=partial(_expected, root, listing),
        metrics=(clip_image(reference="source"), clip_text(), l1(reference="source"), dino(reference="source")),
        protocol={
            "reference": "source: the set has no targets",
            "captions": "output_caption" + (", edits with two equal captions left out" if drops else ", of every row"),
            "resize": "an output to the size of the source",
            "source": f"squashed to {size} x {size}, bicubic",
            "split": split,
            **networks,
            "items": listing.protocol,
            "dataset": rows.fingerprint,
        },
        rejected=listing.rejected,
        tables=("table-2-emu-edit",),
        notes=_notes(split, listing),
        networks=networks,
    )


def _made(drops: bool, _index: int, row: fields.Record) -> tuple[Item, _Row]:
    item_id = safe_id(fields.named(row, "idx"))
    before, after = words(row, "input_caption"), words(row, "output_caption")
    if drops and before == after:
        raise RejectedError(Reason.IDENTICAL_PAIR, f"both captions are {fields.shown(after)}")
    item = Item(
        item_id=item_id,
        cluster=fields.words(row.get("hash")) or item_id,
        prompt=words(row, "instruction", Reason.EMPTY_INSTRUCTION),
        task="editing",
        group=fields.words(row.get("task")),
        texts={"source": before, "output": after},
        output_names=(f"{item_id}.png",),
    )
    return item, (row[_PICTURE], fields.words(row.get("split")))


def _notes(split: str, listing: Listing[_Row]) -> tuple[str, ...]:
    """In the published copy with generations the splits are swapped: there the file's name and its rows disagree."""
    others = Counter(named for _, named in listing.rows.values() if named not in ("", split))
    return (
        "Some captions of this set are wrong, and some pairs of captions are equal.",
        *(
            f"{count:,} rows of the files {split!r} say split {named!r}: items are named by idx, which holds in both."
            for named, count in sorted(others.items())
        ),
    )


def _question(root: Path, listing: Listing[_Row], size: int, item: Item) -> Question:
    source = pictures.picture(root, listing.rows[item.item_id][0])
    return Question(
        task="editing", prompt=item.prompt, pictures=(pictures.squashed(source, size),), width=size, height=size
    )


def _expected(root: Path, listing: Listing[_Row], item: Item) -> Expected:
    return Expected(source=pictures.picture(root, listing.rows[item.item_id][0]), texts=item.texts)
