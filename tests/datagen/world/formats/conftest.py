"""A small world that all layouts are compared with; not square, so that height and width cannot be mistaken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cologen.datagen.world.formats.drawing import Drawing, World, draw


@pytest.fixture(scope="session")
def world() -> World:
    return World(num_scenes=40, width=96, height=64, seed=5)


@pytest.fixture(scope="session")
def drawings(world: World) -> list[Drawing]:
    return [draw(world, index) for index in range(world.num_scenes)]


@pytest.fixture(scope="session")
def hashes() -> Callable[[Path], dict[str, str]]:
    """Of every file below a folder its name and the hash of its bytes."""

    def of(root: Path) -> dict[str, str]:
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return of
