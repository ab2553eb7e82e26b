"""ImgEdit-Bench, its basic suite: 737 edits of nine kinds on photographs, scored by a judge (Ye et al., 2025).

``basic_edit.json`` is one object; a key names an item, and an output of another program's is ``<key>.png``::

    {"1082": {"id": "animal/000342021.jpg", "prompt": "Make the shell smooth.", "edit_type": "alter"}, …}
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.requirements import require_file
from cologen.datagen.images import addresses
from cologen.datagen.records import Reason, RejectedError
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.benchmarks.listing import Listing, Place, fingerprint, json_object, listed, safe_id, words
from cologen.evaluation.benchmarks.options import Options, refuse_others
from cologen.evaluation.metrics.catalog import imgedit_scores
from cologen.evaluation.records import Expected, Item, Question

NAME = "imgedit"
TITLE = "ImgEdit-Bench"
OPTIONS = frozenset({"limit"})
JUDGE = "Qwen/Qwen2.5-VL-72B-Instruct-AWQ"
NUM_ITEMS = 737
TYPES = ("add", "alter", "action", "background", "compose", "extract", "remove", "replace", "style")

_LIST = "basic_edit.json"
_OTHER_NAMES = MappingProxyType({"adjust": "alter"})
"""As newer releases of the list call a type."""
_FOLDERS = ("original_images", "singleturn")
"""Where the pictures are, if not beside the list."""


def open_imgedit(root: Path, options: Options) -> Benchmark:
    """``basic_edit.json``, and the pictures that it names beside it or in ``original_images``.

    Raises:
        FileNotFoundError: the folder or the list is missing.
        ValueError: an option that it does not have, or a list that is no JSON object.
    """
    refuse_others(options, NAME, OPTIONS)
    file = require_file(root / _LIST, root)
    folder = next((f"{name}/" for name in _FOLDERS if (root / name).is_dir()), "")
    listing = listed(NAME, _places(json_object(file), folder), options.limit)
    types = {item.group for item in listing.items}
    return Benchmark(
        name=NAME,
        title=TITLE,
        items=listing.items,
        question=partial(_question, root, listing),
        expected=partial(_expected, root, listing),
        metrics=imgedit_scores(),
        protocol={
            "judge": JUDGE,
            "mean": f"over the items of an edit type, then over the types: {len(types)} of {len(TYPES)} are there",
            "items": f"{listing.protocol}; {NUM_ITEMS} are published",
            "dataset": fingerprint(file),
        },
        rejected=listing.rejected,
        notes=("Judges drift: figures of different judges, or of one judge in different months, do not compare.",),
        networks={"judge": JUDGE},
    )


def _places(edits: fields.Record, folder: str) -> Iterator[Place[str]]:
    for key in edits:
        yield key, partial(_made, edits, folder, key)


def _made(edits: fields.Record, folder: str, key: str) -> tuple[Item, str]:
    row = fields.record(edits, key)
    uri = addresses.tidied(f"{folder}{fields.text(row, 'id')}")
    item = Item(
        item_id=safe_id(key),
        cluster=uri,
        prompt=words(row, "prompt", Reason.EMPTY_INSTRUCTION),
        task="editing",
        group=_type(row),
        output_names=(f"{key}.png",),
    )
    return item, uri


def _type(row: fields.Record) -> str:
    named = fields.text(row, "edit_type")
    found = _OTHER_NAMES.get(named, named)
    if found not in TYPES:
        raise RejectedError(
            Reason.MALFORMED_RECORD, f"edit_type: expected one of {', '.join(TYPES)}, found {fields.shown(named)}"
        )
    return found


def _question(root: Path, listing: Listing[str], item: Item) -> Question:
    source = pictures.picture(root, listing.rows[item.item_id])
    return Question(task="editing", prompt=item.prompt, pictures=(source,))


def _expected(root: Path, listing: Listing[str], item: Item) -> Expected:
    return Expected(source=pictures.picture(root, listing.rows[item.item_id]), texts=item.texts)
