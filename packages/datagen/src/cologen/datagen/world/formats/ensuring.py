"""The synthetic dataset on disk: each format by name, written atomically, and reused where it exists."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cologen.datagen.world.formats import (
    ade20k_challenge,
    ade20k_full,
    coco,
    control_eval,
    dreambench,
    dreambench_plus,
    emu_edit,
    gedit_bench,
    imgedit_bench,
    journeydb,
    lvis,
    magicbrush,
    multigen,
    omniedit,
    refcoco,
    subjects200k,
    triplets,
)
from cologen.datagen.world.formats.drawing import Progress, World, save, silent

MARKER = "world.json"
WORLD_VERSION = 3
"""Raised whenever the same ``World`` gives other bytes."""


Writer = Callable[..., None]
"""``writer(root, world, *, workers, progress)``: writes one format into a folder."""

WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        "journeydb": journeydb.write,
        "journeydb_archives": journeydb.write_archives,
        "cocostuff": coco.write,
        "ade20k": ade20k_challenge.write,
        "ade20k_full": ade20k_full.write,
        "refcoco": refcoco.write,
        "lvis": lvis.write,
        "subjects200k": subjects200k.write,
        "omniedit": omniedit.write,
        "magicbrush": magicbrush.write,
        "magicbrush_test": magicbrush.write_test,
        "triplets": triplets.write,
        "triplets_parquet": triplets.write_parquet,
        "multigen": multigen.write,
        "multigen_parquet": multigen.write_plain,
        "multigen_depth": multigen.write_depth,
        "captioned_cocostuff": multigen.write_captioned_cocostuff,
        "emu_edit": emu_edit.write,
        "dreambench": dreambench.write,
        "dreambench_plus": dreambench_plus.write,
        "multigen_canny_eval": control_eval.write_canny,
        "multigen_depth_eval": control_eval.write_depth,
        "captioned_cocostuff_eval": control_eval.write_cocostuff,
        "gedit_bench": gedit_bench.write,
        "imgedit_bench": imgedit_bench.write,
    }
)


def world_format(dataset: str, *, conditions: bool = False) -> str:
    """The format that a dataset's reader opens; ``conditions``: its reader of conditions."""
    if conditions and dataset == "cocostuff":
        return "captioned_cocostuff"  # ADE20K's holds its captioned form too
    return "refcoco" if dataset.startswith("refcoco") else dataset


def version_of(root: Path) -> int | None:
    """The ``WORLD_VERSION`` with which the dataset in this folder was written; None where there is none."""
    marker = root / MARKER
    return json.loads(marker.read_text()).get("version") if marker.is_file() else None


def is_complete(format_: str, root: Path, world: World) -> bool:
    """Whether the folder holds exactly this dataset; False where it is absent or empty.

    Raises:
        ValueError: it holds something else; the message names what differs.
    """
    wanted = _marker(format_, world)
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if not (root / MARKER).is_file():
        raise ValueError(f"{root} is not empty and holds no synthetic dataset: choose another folder, or empty it")
    found = {"level": "rich"} | json.loads((root / MARKER).read_text())  # there were no levels once
    differences = [
        f"{name} {found.get(name)}, not {value}" for name, value in wanted.items() if found.get(name) != value
    ]
    if differences:
        raise ValueError(
            f"{root} holds another synthetic dataset ({'; '.join(differences)}): choose another folder, or remove it"
        )
    return True


def ensure(format_: str, root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> bool:
    """Write the synthetic dataset to ``root`` unless it is there, and return whether it was written.

    It is written beside ``root`` and renamed when it is complete, so that no reader sees half of it. Where two
    processes write the same dataset at once, the first to finish is used. What a killed process left is removed.

    Raises:
        ValueError: an unknown format, or a folder that holds something else.
    """
    if format_ not in WRITERS:
        raise ValueError(f"unknown format {format_!r}; there are {', '.join(WRITERS)}")
    _sweep(root)
    if is_complete(format_, root, world):
        return False
    with _building(root) as building:
        try:
            WRITERS[format_](building, world, workers=workers, progress=progress)
            save(building / MARKER, json.dumps(_marker(format_, world), indent=2) + "\n")
            if _moved(building, root):
                return True
            return not is_complete(format_, root, world)
        except BaseException as error:
            # Its frames hold the processes that draw, which end before their folder.
            traceback.clear_frames(error.__traceback__)
            raise


@contextmanager
def _building(root: Path) -> Generator[Path]:
    """A folder beside ``root``, locked by this process, and removed if it still has its name at the end."""
    while True:
        building = root.with_name(f".{root.name}.{secrets.token_hex(4)}.building")
        building.mkdir(parents=True)
        try:
            descriptor = os.open(building, os.O_RDONLY)
        except FileNotFoundError:  # swept away already
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if building.exists():  # not swept away before it was locked
                yield building
                return
        finally:
            shutil.rmtree(building, ignore_errors=True)
            os.close(descriptor)


def _sweep(root: Path) -> None:
    """Remove the unfinished folders beside ``root`` that no process writes any more."""
    if not root.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(root.name)}\.[0-9a-f]{{8}}\.building")
    for path in root.parent.iterdir():
        if not name.fullmatch(path.name) or not path.is_dir():
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:  # gone meanwhile, or another user's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)


def _moved(building: Path, root: Path) -> bool:
    """Whether the name was still free; False if another process has written the dataset there."""
    try:
        building.rename(root)
    except OSError:
        if not (root / MARKER).is_file():
            raise
        return False
    return True


def _marker(format_: str, world: World) -> dict[str, Any]:
    return {"layout": format_, **asdict(world), "version": WORLD_VERSION}
