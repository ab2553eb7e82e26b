"""MagicBrush's test set: 1,053 edits by hand in 535 sessions of up to three turns (Zhang et al., 2023).

The protocol is that of the dataset's own script (``evaluation/image_eval.py``), with two faults of it avoided: its
default captions are the global ones, where the published figures are with the local ones, and a folder with a missing
output stops it. It has two settings:

single   every turn from the true picture before it              outputs ``<id>_1``, ``<id>_inde_2``, …
multi    all turns of a session, each on the last one's result   the last output alone: ``<id>_iter_3`` (or ``<id>_1``)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from cologen.datagen.datasets.files import fields, json_scan
from cologen.datagen.datasets.files.requirements import first_folder, require_file
from cologen.datagen.images import addresses
from cologen.datagen.records import Reason, RejectedError
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks import pictures
from cologen.evaluation.benchmarks.listing import Listing, Place, fingerprint, json_object, listed, safe_id, words
from cologen.evaluation.benchmarks.options import Options, choice, refuse_others
from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.metrics.catalog import clip_image, clip_text, dino, l1, l2
from cologen.evaluation.records import Expected, Item, Question, ScoreError

NAME = "magicbrush"
TITLE = "MagicBrush test"
OPTIONS = frozenset({"reference", "clip", "captions", "turns", "size", "limit"})
CLIP, DINO = "openai/clip-vit-base-patch32", "facebook/dino-vits16"

_OUTPUT = re.compile(r"([0-9A-Za-z_]+)-output([1-9][0-9]?)\.png")
_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "single": "single: every turn, from the true picture before it",
        "multi": "multi: the last turn of each session, all turns applied one after another to the first picture",
    }
)
_CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "local": "local: local_descriptions.json, of the true output",
        "global": "global: global_descriptions.json, the default of the dataset's script but not of its figures",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A row of ``edit_turns.json``, its files as addresses below the root."""

    session: str
    number: int
    instruction: str
    source: str
    mask: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What an item shows: one turn, or all turns of a session."""

    turns: tuple[_Turn, ...]


def open_magicbrush(root: Path, options: Options) -> Benchmark:
    """What ``test.zip`` holds; ``root`` is its folder ``test`` or the one above.

    Raises:
        FileNotFoundError: the pictures, the turns or the captions are missing.
        ValueError: an option that it does not have, or a list that is no JSON.
    """
    refuse_others(options, NAME, OPTIONS)
    reference = choice(NAME, "reference", options.reference, ("target", "source"))
    captions = choice(NAME, "captions", options.captions, tuple(_CAPTIONS))
    setting = choice(NAME, "turns", options.turns, tuple(_SETTINGS))
    folder = first_folder(root, ["test/images", "images"])
    turns = require_file(folder.parent / "edit_turns.json", root)
    said = require_file(folder.parent / f"{captions}_descriptions.json", root)
    places = _places(turns, folder.relative_to(root).as_posix(), json_object(said), setting)
    listing = listed(NAME, places, options.limit)
    networks = {"clip": options.clip or CLIP, "dino": DINO}
    return Benchmark(
        name=NAME,
        title=f"{TITLE}, {setting}-turn",
        items=listing.items,
        question=partial(_question, root, listing, options.size),
        expected=partial(_expected, root, listing),
        metrics=_metrics(reference),
        protocol={
            "turns": _SETTINGS[setting],
            "reference": reference,
            "captions": _CAPTIONS[captions],
            "resize": "an output to the size of the picture that it is compared with",
            "source": "as it is" if options.size is None else f"squashed to {options.size} x {options.size}, bicubic",
            **networks,
            "items": listing.protocol,
            "dataset": fingerprint(turns, said),
        },
        rejected=listing.rejected,
        tables=("table-2-magicbrush", "table-5-magicbrush"),
        notes=(
            "The test pictures must not be redistributed: reports leave them out unless asked for them.",
            "Inside and outside are of the mask drawn for the edit: inside against the target, outside the source.",
        ),
        networks=networks,
        shareable=False,
    )


def _metrics(reference: str) -> tuple[AnyMetric, ...]:
    kind = "source" if reference == "source" else "target"
    return (
        clip_image(reference=kind),
        clip_text(),
        l1(reference=kind),
        l2(reference=kind),
        dino(reference=kind),
        l1(reference="target", region="inside"),
        l1(reference="source", region="outside"),
    )


def _places(path: Path, folder: str, captions: fields.Record, setting: str) -> Iterator[Place[_Row]]:
    turns = list(_turns(path))
    if setting == "single":
        for key, record in turns:
            yield key, partial(_single, folder, record, captions)
        return
    sessions: dict[str, list[object]] = {}
    for key, record in turns:
        sessions.setdefault(key.partition("-")[0], []).append(record)
    for key, records in sessions.items():
        yield key, partial(_session, folder, records, captions)


def _turns(path: Path) -> Iterator[tuple[str, object]]:
    """Each row with the name of its output, or its place where that is no name."""
    file = json_scan.mapped(path)
    for place, element in enumerate(json_scan.array_elements(file, path, "turns")):
        record = fields.parse_or_mark(file[element.start : element.end])
        output = record.get("output") if isinstance(record, dict) else None
        known = isinstance(output, str) and _OUTPUT.fullmatch(output) is not None
        yield str(output).removesuffix(".png") if known else f"turn_{place:06d}", record


def _single(folder: str, record: object, captions: fields.Record) -> tuple[Item, _Row]:
    turn = _turn(folder, record)
    name = f"{turn.session}_1" if turn.number == 1 else f"{turn.session}_inde_{turn.number}"
    item = _item(safe_id(f"{turn.session}-{turn.number}"), f"turn {turn.number}", name, (turn,), captions)
    return item, _Row(turns=(turn,))


def _session(folder: str, records: list[object], captions: fields.Record) -> tuple[Item, _Row]:
    turns = tuple(sorted((_turn(folder, record) for record in records), key=lambda turn: turn.number))
    if (numbers := [turn.number for turn in turns]) != list(range(1, len(turns) + 1)):
        raise RejectedError(Reason.MALFORMED_RECORD, f"expected turns from 1 on without a gap, found {numbers}")
    session = turns[0].session
    name = f"{session}_1" if len(turns) == 1 else f"{session}_iter_{len(turns)}"
    group = "1 turn" if len(turns) == 1 else f"{len(turns)} turns"
    return _item(safe_id(session), group, name, turns, captions), _Row(turns=turns)


def _turn(folder: str, record: object) -> _Turn:
    row = fields.as_record(record, "the turn")
    found = _OUTPUT.fullmatch(fields.text(row, "output"))
    if found is None:
        raise RejectedError(
            Reason.MALFORMED_RECORD, f"output: expected <id>-output<turn>.png, found {fields.shown(row['output'])}"
        )
    source, mask, target = (
        addresses.tidied(f"{folder}/{found[1]}/{fields.text(row, name)}") for name in ("input", "mask", "output")
    )
    instruction = words(row, "instruction", Reason.EMPTY_INSTRUCTION)
    return _Turn(
        session=found[1], number=int(found[2]), instruction=instruction, source=source, mask=mask, target=target
    )


def _item(item_id: str, group: str, name: str, turns: tuple[_Turn, ...], captions: fields.Record) -> Item:
    first, last = turns[0], turns[-1]
    said = fields.record(captions, last.session)
    source = fields.words(said.get(_file(first.source)))
    return Item(
        item_id=item_id,
        cluster=last.session,
        prompt=last.instruction,
        task="editing",
        group=group,
        texts={"output": words(said, _file(last.target)), **({"source": source} if source else {})},
        output_names=(f"{last.session}/{name}.png",),
    )


def _file(uri: str) -> str:
    return uri.rpartition("/")[2]


def _question(root: Path, listing: Listing[_Row], size: int | None, item: Item) -> Question:
    turns = listing.rows[item.item_id].turns
    source = pictures.picture(root, turns[0].source)
    return Question(
        task="editing",
        prompt=item.prompt,
        pictures=(source if size is None else pictures.squashed(source, size),),
        width=size,
        height=size,
        earlier=tuple(turn.instruction for turn in turns[:-1]),
    )


def _expected(root: Path, listing: Listing[_Row], item: Item) -> Expected:
    """``region`` is all that the turns' masks erase."""
    turns = listing.rows[item.item_id].turns
    source = pictures.picture(root, turns[0].source)
    height, width = source.shape[:2]
    masks = [pictures.erased(root, turn.mask, (width, height)) for turn in turns]
    region = np.maximum.reduce(masks)
    if not region.any():
        raise ScoreError("bad_input", f"{turns[-1].mask}: expected a mask that erases something, found none erased")
    return Expected(
        source=source,
        target=pictures.picture(root, turns[-1].target),
        region=region,
        texts=item.texts,
    )
