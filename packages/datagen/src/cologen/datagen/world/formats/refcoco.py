"""The synthetic dataset in refer's format: RefCOCO, RefCOCO+ and RefCOCOg over the same pictures.

They differ in their expressions: RefCOCO's say where things are, RefCOCO+'s may not, and RefCOCOg's are long.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.coco import THING_IDS
from cologen.datagen.world.formats.coco_records import LICENSES, Record, info, picture, thing
from cologen.datagen.world.formats.drawing import Drawing, Progress, World, each_scene, jpeg, save, silent
from cologen.datagen.world.referring import Referral, referrals

RefName = Literal["refcoco", "refcoco+", "refcocog"]

IMAGES = "images/mscoco/images/train2014"
REFS: Mapping[RefName, str] = MappingProxyType(
    {"refcoco": "refs(unc).p", "refcoco+": "refs(unc).p", "refcocog": "refs(umd).p"}
)
"""Each dataset with the file of its refs, named by who made the splits."""

MAX_SENTENCES = 3
"""As many as people were mostly asked for each object."""

_HELD_OUT: Mapping[RefName, tuple[str, ...]] = MappingProxyType(
    {"refcoco": ("val", "testA", "testB"), "refcoco+": ("val", "testA", "testB"), "refcocog": ("val", "test")}
)
_SIZES = ("largest", "smallest")
_SHOUTING_SHARE, _BARE_SHARE = 0.1, 0.5
_PICKLE_PROTOCOL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    image: Record
    annotations: list[Record]
    refs: dict[RefName, list[Record]]


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``{refcoco,refcoco+,refcocog}/{refs(…).p,instances.json}`` and ``images/mscoco/images/train2014/``."""
    rows = list(each_scene(world, partial(_draw, root), workers=workers, progress=progress))
    instances = {
        "info": info("COCO 2014"),
        "licenses": LICENSES,
        "images": [row.image for row in rows],
        "annotations": [annotation for row in rows for annotation in row.annotations],
        "categories": [{"supercategory": "shape", "id": id_, "name": name} for name, id_ in THING_IDS.items()],
    }
    for name, file_name in REFS.items():
        save(root / name / "instances.json", json.dumps(instances))
        save(root / name / file_name, _pickled([ref for row in rows for ref in row.refs[name]]))


def split_of(name: RefName, drawing: Drawing) -> str:
    """The scenes that other formats train on are trained on here too; the others take turns at the held-out splits."""
    held_out = _HELD_OUT[name]
    return held_out[drawing.index // 10 % len(held_out)] if drawing.split == "val" else "train"


def spoken(name: RefName, found: Sequence[Referral]) -> list[str]:
    """The phrases that suit a dataset, of those that mean one object; RefCOCO+ may have none for twins."""
    if name == "refcoco+":
        return [referral.phrase for referral in found if not _says_where(referral)]
    phrases = [referral.phrase for referral in found]
    if name == "refcocog":
        # The longer half: RefCOCOg's sentences have about twice as many words as RefCOCO's.
        return sorted(phrases, key=lambda phrase: -len(phrase.split()))[: (len(phrases) + 1) // 2]
    return phrases


def _says_where(referral: Referral) -> bool:
    meaning = referral.meaning
    is_placed = meaning.place is not None or meaning.relation is not None
    return is_placed or meaning.extreme not in (None, *_SIZES)


def _draw(root: Path, drawing: Drawing) -> _Row:
    file_name = f"COCO_train2014_{drawing.index + 1:012d}.jpg"
    save(root / IMAGES / file_name, jpeg(drawing.rendering.picture))
    ranks = [rank for rank, mask in enumerate(drawing.rendering.masks) if mask.any()]
    annotations = [
        {**thing(drawing, rank, THING_IDS[drawing.scene.objects[rank].shape]), "iscrowd": 0} for rank in ranks
    ]
    found = {rank: referrals(drawing.scene, rank) for rank in ranks}
    refs: dict[RefName, list[Record]] = {
        name: [_ref(name, drawing, rank, phrases) for rank in ranks if (phrases := spoken(name, found[rank]))]
        for name in REFS
    }
    image = {**picture(drawing, f"train2014/{file_name}"), "file_name": file_name}
    return _Row(image=image, annotations=annotations, refs=refs)


def _ref(name: RefName, drawing: Drawing, rank: int, phrases: list[str]) -> Record:
    draw = generator(drawing.world.seed, name, drawing.index, rank)
    image_id = drawing.index + 1
    ref_id = image_id * 100 + rank
    chosen = draw.permutation(len(phrases))[:MAX_SENTENCES].tolist()
    sentences: list[Record] = []
    for number, place in enumerate(chosen):
        said = phrases[place].removeprefix("the ") if draw.random() < _BARE_SHARE else phrases[place]
        raw = said.upper() if draw.random() < _SHOUTING_SHARE else said
        sentences.append({"tokens": said.split(), "raw": raw, "sent_id": ref_id * 10 + number, "sent": said})
    return {
        "sent_ids": [sentence["sent_id"] for sentence in sentences],
        # The published refs name a file of their own, which no picture has.
        "file_name": f"COCO_train2014_{image_id:012d}_{rank}.jpg",
        "ann_id": ref_id,
        "ref_id": ref_id,
        "image_id": image_id,
        "split": split_of(name, drawing),
        "sentences": sentences,
        "category_id": THING_IDS[drawing.scene.objects[rank].shape],
    }


def _pickled(refs: list[Record]) -> bytes:
    # A pickle shows which equal strings are one object, and that depends on the workers: JSON forgets it.
    return pickle.dumps(json.loads(json.dumps(refs)), protocol=_PICKLE_PROTOCOL)
