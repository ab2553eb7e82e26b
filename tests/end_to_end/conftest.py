from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

# Before anything imports Ray: no second environment under `uv run`, and the loopback only.
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

from cologen.datagen.world.formats import World, ensure

SCENES, SIDE = 54, 96
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small world in each layout that the builders read."""
    root = tmp_path_factory.mktemp("world")
    for layout in ("journeydb", "cocostuff", "ade20k", "ade20k_full"):
        ensure(layout, root / layout, World(num_scenes=SCENES, width=SIDE, height=SIDE, seed=5))
    return root


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["COLOGEN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def killed_in() -> Callable[[Path, list[str]], int]:
    """Run a builder until two parts are committed in a folder, kill it as the kernel would, and return their number.

    The builder joins the cluster that the test is connected to.
    """

    def run(folder: Path, command: list[str]) -> int:
        import ray

        address = ray.get_runtime_context().gcs_address
        line = [sys.executable, "-m", *command, "--address", address]
        driver = subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 300
        while len(list(folder.glob("rejected-*"))) < 2:
            assert driver.poll() is None, driver.stdout and driver.stdout.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        driver.kill()
        driver.communicate()
        return len(list(folder.glob("rejected-*")))

    return run
