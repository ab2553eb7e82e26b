from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before anything imports Ray: no second environment under `uv run`, and the loopback only.
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

from cologen.datagen.world.layouts import ensure

SCENES, SIDE = 54, 96


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small world in each layout that the builders read."""
    root = tmp_path_factory.mktemp("world")
    for layout in ("journeydb", "cocostuff", "ade20k", "ade20k_full"):
        ensure(layout, root / layout, num_scenes=SCENES, width=SIDE, height=SIDE, seed=5)
    return root


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["COLOGEN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
