"""Small files in the exact form in which the public datasets are distributed: their fields, types and oddities.

All content is made up. ``test_distributed.py`` holds the forms against samples of the real files, where these are at
hand, and the readers against the forms, everywhere.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq

WIDTH, HEIGHT = 64, 48
SQUARE, SECOND = [10, 10, 30, 10, 30, 30, 10, 30], [40, 8, 56, 8, 56, 40, 40, 40]
_RLE = {"counts": [480, 20, 28, 20, WIDTH * HEIGHT - 548], "size": [HEIGHT, WIDTH]}
_LICENSES = [{"url": "http:\\/\\/licenses.invalid\\/1\\/", "id": 1, "name": "A License"}]
_INFO = {
    "description": "This is stable 1.0 version of a made up dataset.", "url": "http:\\/\\/dataset.invalid",
    "version": "1.0", "year": 2014, "contributor": "nobody", "date_created": "2015-01-27 09:11:52.357475",
}  # fmt: skip


def picture(shade: int = 90, size: tuple[int, int] = (WIDTH, HEIGHT), mode: str = "RGB") -> PIL.Image.Image:
    """A ramp, so that a JPEG of it is no flat one."""
    ramp = np.linspace(shade, 255, size[0]).astype(np.uint8)
    return PIL.Image.fromarray(np.tile(ramp, (size[1], 1))).convert(mode)


def put(path: Path, content: Any) -> None:
    """Write a picture, bytes, text, or a value as JSON, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, PIL.Image.Image):
        content.save(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))


def _coco_image(identity: int, folder: str, name: str) -> dict[str, Any]:
    return {
        "license": 1, "file_name": name, "coco_url": f"http://images.invalid/{folder}/{name}", "height": HEIGHT,
        "width": WIDTH, "date_captured": "2013-11-14 11:18:45", "flickr_url": f"http://flickr.invalid/{identity}_z.jpg",
        "id": identity,
    }  # fmt: skip


def _coco_thing(identity: int, image: int, category: int, polygon: list[int]) -> dict[str, Any]:
    return {
        "segmentation": [[float(number) for number in polygon]], "area": 400.25, "iscrowd": 0, "image_id": image,
        "bbox": [10.0, 10.0, 20.0, 20.5], "category_id": category, "id": identity,
    }  # fmt: skip


def _coco_crowd(image: int, category: int) -> dict[str, Any]:
    return {
        "segmentation": _RLE, "area": 40, "iscrowd": 1, "image_id": image, "bbox": [10, 0, 2, 48],
        "category_id": category, "id": 900100000000 + image,
    }  # fmt: skip


def _coco_file(images: list[Any], annotations: list[Any]) -> dict[str, Any]:
    categories = [
        {"supercategory": "animal", "id": 17, "name": "cat"},
        {"supercategory": "animal", "id": 18, "name": "dog"},
    ]
    return {
        "images": images, "annotations": annotations, "categories": categories, "type": "instances", "info": _INFO,
        "licenses": _LICENSES,
    }  # fmt: skip


def write_coco(root: Path) -> None:
    """COCO 2017: a cat and a dog with a caption that ends in a blank, and a crowd as uncompressed run lengths."""
    names = {identity: f"{identity:012d}.jpg" for identity in (391895, 184613)}
    images = [_coco_image(identity, "train2017", name) for identity, name in names.items()]
    things = [_coco_thing(151091, 391895, 17, SQUARE), _coco_thing(151092, 391895, 18, SECOND), _coco_crowd(184613, 18)]
    captions = [
        {"image_id": 391895, "id": 770337, "caption": "A cat beside a dog. "},
        {"image_id": 184613, "id": 770338, "caption": "Many dogs\n"},
    ]
    put(root / "annotations/instances_train2017.json", _coco_file(images, things))
    put(root / "annotations/captions_train2017.json", {**_coco_file(images, captions), "categories": []})
    for name in names.values():
        put(root / "train2017" / name, picture())


def write_lvis(root: Path) -> None:
    """LVIS v1: pictures without ``file_name``, categories as synonyms with underscores and remarks in brackets."""
    categories = [
        {
            "name": name, "image_count": 1, "frequency": "r", "synset": f"{name}.n.01", "def": "a thing",
            "instance_count": 1, "id": identity, "synonyms": [name],
        }
        for identity, name in enumerate(("bell_pepper", "car_(automobile)", "cat"), start=1)
    ]  # fmt: skip
    image = {
        "flickr_url": "http://flickr.invalid/1_z.jpg", "coco_url": "http://images.invalid/val2017/000000223747.jpg",
        "height": HEIGHT, "license": 1, "not_exhaustive_category_ids": [], "neg_category_ids": [3], "id": 223747,
        "date_captured": "2013-11-14 15:53:06", "width": WIDTH,
    }  # fmt: skip
    thing = {
        "segmentation": [[float(number) for number in SQUARE]], "area": 400.5, "image_id": 223747,
        "bbox": [10.0, 10.0, 20.5, 20.0], "id": 526, "category_id": 1,
    }  # fmt: skip
    info = {key: _INFO[key] for key in ("year", "url", "version", "contributor", "date_created", "description")}
    content = {
        "categories": categories, "annotations": [thing, {**thing, "id": 527, "category_id": 2}], "info": info,
        "licenses": _LICENSES, "images": [image],
    }  # fmt: skip
    put(root / "lvis_v1_val.json", content)
    put(root / "val2017/000000223747.jpg", picture())


def refs() -> list[dict[str, Any]]:
    """Refs as they are pickled: ``file_name`` is that of an annotation, ``raw`` is as typed and ``sent`` cleaned."""
    sentences = [
        {"tokens": ["the", "left", "cat"], "raw": "THE LEFT CAT", "sent_id": 0, "sent": "the left cat"},
        {"tokens": ["cat"], "raw": "cat", "sent_id": 1, "sent": "cat"},
    ]
    return [
        {
            "sent_ids": [0, 1], "file_name": "COCO_train2014_000000581857_16.jpg", "ann_id": 1719310, "ref_id": 0,
            "image_id": 581857, "split": "train", "sentences": sentences, "category_id": 17,
        }
    ]  # fmt: skip


def python2_pickle(value: Any) -> bytes:
    """A pickle as Python 2 wrote it in protocol 0, with byte strings and long integers."""

    def emit(value: Any) -> bytes:
        if isinstance(value, dict):
            return b"(d" + b"".join(emit(key) + emit(each) + b"s" for key, each in value.items())
        if isinstance(value, list):
            return b"(l" + b"".join(emit(each) + b"a" for each in value)
        return f"L{value}L\n".encode() if isinstance(value, int) else f"S{value!r}\n".encode()

    return emit(value) + b"."


def write_refcoco(root: Path) -> None:
    """RefCOCO in refer's folders, its refs pickled by Python 2."""
    name = "COCO_train2014_000000581857.jpg"
    things = [_coco_thing(1719310, 581857, 17, SQUARE), _coco_thing(1719311, 581857, 17, SECOND)]
    content = _coco_file([_coco_image(581857, "train2014", name)], things)
    things.append(_coco_crowd(581857, 18))
    put(root / "refcoco/instances.json", {key: content[key] for key in content if key != "type"})
    put(root / "refcoco/refs(unc).p", python2_pickle(refs()))
    put(root / "images/mscoco/images/train2014" / name, picture())


def write_ade20k(root: Path) -> None:
    """The challenge's form: label maps of 8 bits, and a list of scenes."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:20], labels[24:, 8:40] = 3, 8  # sky, bed
    folder = root / "ADEChallengeData2016"
    put(folder / "images/validation/ADE_val_00000001.jpg", picture())
    put(folder / "annotations/validation/ADE_val_00000001.png", PIL.Image.fromarray(labels))
    put(folder / "sceneCategories.txt", "ADE_val_00000001 bedroom\n")


def write_subjects200k(root: Path) -> None:
    """One row of Parquet: two pictures of 512 pixels side by side, with a border of 8 around each."""
    canvas = PIL.Image.new("RGB", (1056, 528), "black")
    for left in (8, 536):
        canvas.paste(picture(120, (512, 512)), (left, 8))
    file = io.BytesIO()
    canvas.save(file, "JPEG", quality=95)
    rows: Mapping[str, Any] = {
        "image": {"bytes": file.getvalue(), "path": None},
        "collection": "collection_2",
        "quality_assessment": {"compositeStructure": 5, "objectConsistency": 5, "imageQuality": 5},
        "description": {
            "item": "A grey ramp.", "description_0": "On the left it stands in the sun.",
            "description_1": "On the right it stands in a studio.", "category": "", "description_valid": True,
        },
    }  # fmt: skip
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    scores = pa.struct([(name, pa.int64()) for name in rows["quality_assessment"]])
    words = pa.struct(
        [*((name, pa.string()) for name in [*rows["description"]][:-1]), ("description_valid", pa.bool_())]
    )
    schema = pa.schema(
        [("image", image), ("collection", pa.string()), ("quality_assessment", scores), ("description", words)]
    )
    path = root / "data/train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([dict(rows)], schema=schema), path)


def write_multigen(root: Path) -> None:
    """UniControl's release: JSON lines named for each condition, paths that begin with ``./``, prompts with blanks."""
    line = {
        "source": "./coco_sel/000000181859.jpg",
        "prompt": "A striped cat. ",
        "control_hed": "hed/control_81859.jpg",
    }
    put(root / "dataset/json_files/aesthetics_plus_all_group_hed_all.json", json.dumps(line) + "\n")
    put(root / "dataset/images/coco_sel/000000181859.jpg", picture())
    put(root / "dataset/conditions/hed/control_81859.jpg", picture(0, (96, 72), "L"))
