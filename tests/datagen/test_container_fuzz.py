"""Whatever is done to a container, a picture or an annotation, reading it is quick, small, and refused in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.datagen import container_fuzzing

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("FUZZ_SEED", "0"))
SECONDS = float(os.environ.get("FUZZ_SECONDS", "10"))


def test_spoiled_files_are_refused_in_little_memory_and_time(tmp_path: Path) -> None:
    """In a process that may take 3 GB more than its modules: too much memory, a hang or a crash end it."""
    command = [sys.executable, "-m", "tests.datagen.container_fuzzing", str(tmp_path), str(SEED), str(SECONDS)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=SECONDS + 300)
    assert done.returncode == 0, done.stderr[-5000:]
    counts = json.loads(done.stdout)
    assert counts.keys() == container_fuzzing.KINDS.keys()
    for kind, found in counts.items():
        assert found.keys() - {"read"}, f"{kind}: nothing was refused"
    for suffix in ("tar", "tgz", "parquet", "jpg", "png", "tiff", "webp", "json"):
        assert sum(found.get("read", 0) for kind, found in counts.items() if kind.endswith(suffix)), suffix
