"""The tiny networks, made once, and pictures of odd sizes."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.tiny_networks import pictures_of, write_all


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A path for each network by name."""
    return write_all(tmp_path_factory.mktemp("networks"))


@pytest.fixture
def clip_folder(sources: dict[str, str]) -> Path:
    return Path(sources["clip"])


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    return pictures_of((100, 80), (81, 64), (64, 64), (50, 91))
