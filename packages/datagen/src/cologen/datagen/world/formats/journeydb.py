"""The synthetic dataset in JourneyDB's format: shards of pictures with uuid names, and JSON lines that name them.

The published shards are archives; training reads them unpacked. ``write`` makes the unpacked form, ``write_archives``
the archives, whose bytes depend on the ``World`` alone.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import uuid
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import (
    SPLITS,
    Drawing,
    Progress,
    Split,
    World,
    each_scene,
    jpeg,
    save,
    silent,
)

SCENES_PER_SHARD = 32

_FOLDERS: dict[Split, str] = {"train": "data/train", "val": "data/valid"}
_ROWS: dict[Split, str] = {"train": "train_anno_realease_repath.jsonl", "val": "valid_anno_repath.jsonl"}
"""The misspelling is the dataset's own."""

_UNCAPTIONED: tuple[dict[str, None] | None, ...] = (None, {}, {"Caption": None})
_UNCAPTIONED_SHARE = 0.05


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,valid}/`` with ``imgs/000/<uuid>.jpg`` and the rows, all unpacked."""
    lines: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for split, line in each_scene(world, partial(_draw, root), workers=workers, progress=progress):
        lines[split].append(line)
    for split in SPLITS:
        save(root / _FOLDERS[split] / _ROWS[split], "".join(lines[split]))


def write_archives(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,valid}/`` with ``imgs/000.tgz`` … and the rows as ``….jsonl.tgz``, as they are published."""
    write(root, world, workers=workers, progress=progress)
    for split in SPLITS:
        rows = root / _FOLDERS[split] / _ROWS[split]
        save(rows.with_name(f"{rows.name}.tgz"), _archive([rows]))
        rows.unlink()
        for shard in sorted((root / _FOLDERS[split] / "imgs").glob("*/")):
            save(shard.with_suffix(".tgz"), _archive([shard, *sorted(shard.iterdir())]))
            shutil.rmtree(shard)


def _draw(root: Path, drawing: Drawing) -> tuple[Split, str]:
    name = uuid.uuid5(uuid.NAMESPACE_OID, f"{drawing.world.seed}/{drawing.index}")
    path = f"{drawing.index // SCENES_PER_SHARD:03d}/{name}.jpg"
    save(root / _FOLDERS[drawing.split] / "imgs" / path, jpeg(drawing.rendering.picture))
    return drawing.split, json.dumps(_row(drawing, path)) + "\n"


def _row(drawing: Drawing, path: str) -> dict[str, Any]:
    caption, prompt = drawing.captions[:2]
    scene, objects = drawing.scene, drawing.scene.objects
    draw = generator(drawing.world.seed, "journeydb", drawing.index)
    # As in the real rows, some lack the caption, in one of three ways; the prompt is always there.
    uncaptioned = draw.random() < _UNCAPTIONED_SHARE
    return {
        "img_path": f"./{path}",
        "prompt": f"{prompt.rstrip('.')}, flat illustration",
        "Task1": {
            "Style": ["flat illustration", *sorted({thing.texture for thing in objects})],
            "Content": [f"{thing.color} {thing.shape}" for thing in objects],
            "Atmosphere": ["calm"],
            "Others": [scene.ground],
        },
        "Task2": _UNCAPTIONED[draw.integers(len(_UNCAPTIONED))] if uncaptioned else {"Caption": caption},
        "Task3": {
            "Style Relevant Questions and Answers": [],
            "Content Relevant Questions and Answers": [f"How many objects are there? {len(objects)}"],
        },
    }


def _archive(members: Iterable[Path]) -> bytes:
    """A tar.gz of files and folders beside each other, without times and owners."""
    tar_bytes = io.BytesIO()
    members = list(members)
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in members:
            info = tarfile.TarInfo(path.relative_to(members[0].parent).as_posix())
            if path.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            else:
                content = path.read_bytes()
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    # JPEG does not shrink any further, so the fastest level loses nothing.
    return gzip.compress(tar_bytes.getvalue(), compresslevel=1, mtime=0)
