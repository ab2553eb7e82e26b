"""One profile for every property test: the same examples on every machine, and no deadline on a slow one."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Before any test imports Ray: under `uv run` it would build a second environment for its workers.
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
# Before any test imports torch: two pytest processes share the cores, small networks are faster on one thread, and
# on a CPU only one thread repeats bit by bit.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile(
    "same-everywhere",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same-everywhere")


@pytest.fixture(autouse=True)
def _default_limit_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a reader sets its recipe's limit for the whole process; the next test begins without."""
    monkeypatch.delenv("COLOGEN_MAX_PICTURE_BYTES", raising=False)
