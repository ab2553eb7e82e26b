"""The tiny networks, made once."""

from pathlib import Path

import pytest

from tests.evaluation.tiny_networks import write_all


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A path for each network by name."""
    return write_all(tmp_path_factory.mktemp("networks"))


@pytest.fixture
def folder(request: pytest.FixtureRequest, sources: dict[str, str]) -> Path:
    """Of the network that the test module is named after."""
    return Path(sources[Path(request.fspath).stem.removeprefix("test_")])
