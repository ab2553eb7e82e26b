"""The synthetic dataset as MultiGen-20M: UniControl's JSON lines with condition files, and the Parquet forms.

Conditions are exact: depth and classes as rendered, and Canny's edges of the picture.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import Drawing, Progress, Split, World, each_scene, jpeg, png, save, silent
from cologen.datagen.world.formats.parquet_files import IMAGE, write_rows

TASKS = ("canny", "depth", "seg")

_CANNY_THRESHOLDS = (100, 200)
_SCALE, _MULTIPLE = 1.2, 8
"""As in the release, a condition has another size than its picture: larger, and in whole blocks of pixels."""
PLAIN = pa.schema([("image", IMAGE), ("text", pa.string())])
_DEPTH = pa.schema([("image", IMAGE), ("control_depth", IMAGE), ("text", pa.string())])
_MAP = pa.list_(pa.list_(pa.uint8()))
CAPTIONED = pa.schema(
    [
        ("image", IMAGE),
        ("control_seg", IMAGE),
        ("prompt", pa.string()),
        ("semantic_seg_map", _MAP),
        ("panoptic_seg_map", _MAP),
        ("image_path", pa.string()),
    ]
)

Map = UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``dataset/{json_files,images,conditions}`` with every scene under canny, depth and seg; there is no split."""
    lines: dict[str, list[str]] = {task: [] for task in TASKS}
    folder = root / "dataset"
    for row in each_scene(world, partial(_lines, folder), workers=workers, progress=progress):
        for task, line in row.items():
            lines[task].append(line)
    for task in TASKS:
        save(folder / "json_files" / f"aesthetics_plus_all_group_{task}_all.json", "".join(lines[task]))


def write_plain(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,validation}-*.parquet`` with ``image`` and ``text``, as MultiGen-20M_train."""
    write_rows(root / "data", PLAIN, each_scene(world, _plain, workers=workers, progress=progress))


def write_depth(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,validation}-*.parquet`` with ``control_depth`` too, as MultiGen-20M_depth."""
    write_rows(root / "data", _DEPTH, each_scene(world, _with_depth, workers=workers, progress=progress))


def write_captioned_cocostuff(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,validation}-*.parquet`` with maps of classes and instances, as Captioned_COCOStuff."""
    write_rows(root / "data", CAPTIONED, each_scene(world, _captioned, workers=workers, progress=progress))


def depth_map(drawing: Drawing) -> UInt8[np.ndarray, "height width"]:
    """Nearness as grey, as depth estimators have it: 255 is nearest."""
    return np.round(255 * (1 - drawing.rendering.depth)).astype(np.uint8)


def segmentation(drawing: Drawing) -> UInt8[np.ndarray, "height width 3"]:
    """Each class in a colour of its own, the same in all pictures."""
    return _PALETTE[drawing.rendering.class_map]


def canny(drawing: Drawing) -> UInt8[np.ndarray, "height width"]:
    """Edges 255, the rest 0."""
    grey = cv2.cvtColor(drawing.rendering.picture, cv2.COLOR_RGB2GRAY)
    return cv2.Canny(grey, *_CANNY_THRESHOLDS).astype(np.uint8, copy=False)


def _palette() -> UInt8[np.ndarray, "classes 3"]:
    return generator(0, "multigen palette").integers(32, 256, size=(256, 3), dtype=np.uint8)


_PALETTE = _palette()


def _lines(folder: Path, drawing: Drawing) -> dict[str, str]:
    number = drawing.index + 1
    source = f"coco_sel/{number:012d}.jpg"
    save(folder / "images" / source, jpeg(drawing.rendering.picture))
    maps: dict[str, tuple[str, Map]] = {
        "canny": ("canny", canny(drawing)),
        "depth": ("depth", depth_map(drawing)),
        "seg": ("segbase", segmentation(drawing)),
    }
    lines: dict[str, str] = {}
    for task, (subfolder, pixels) in maps.items():
        control = f"{subfolder}/control_{number % 100_000:05d}.jpg"
        grown = _grown(pixels)
        save(folder / "conditions" / control, jpeg(grown if grown.ndim == 3 else np.stack([grown] * 3, axis=-1)))
        row = {"source": f"./{source}", "prompt": drawing.captions[0], f"control_{task}": control}
        lines[task] = json.dumps(row) + "\n"
    return lines


def _grown(pixels: Map) -> UInt8[np.ndarray, "grown_height grown_width *channels"]:
    size = [_MULTIPLE * max(2, round(_SCALE * side / _MULTIPLE)) for side in pixels.shape[1::-1]]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)


def _plain(drawing: Drawing) -> tuple[Split, dict[str, Any]]:
    return drawing.split, {"image": _picture(drawing), "text": drawing.captions[0]}


def _with_depth(drawing: Drawing) -> tuple[Split, dict[str, Any]]:
    split, row = _plain(drawing)
    return split, {**row, "control_depth": {"bytes": png(depth_map(drawing)), "path": None}}


def _captioned(drawing: Drawing) -> tuple[Split, dict[str, Any]]:
    rendering = drawing.rendering
    row = {
        "image": _picture(drawing),
        "control_seg": {"bytes": png(segmentation(drawing)), "path": None},
        "prompt": drawing.captions[0],
        "semantic_seg_map": [*rendering.class_map],
        "panoptic_seg_map": [*rendering.instance_map],
        "image_path": _name(drawing),
    }
    return drawing.split, row


def _picture(drawing: Drawing) -> dict[str, Any]:
    return {"bytes": jpeg(drawing.rendering.picture), "path": _name(drawing)}


def _name(drawing: Drawing) -> str:
    return f"{drawing.index + 1:012d}.jpg"
