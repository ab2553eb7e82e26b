"""The house itself: formatted, linted, typed, its rooms in order, its resolution current, its examples alive."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "format", "--check", "--quiet"],
        ["ruff", "check", "--quiet"],
        ["pyright"],
        ["lint-imports", "--no-cache"],
    ],
    ids=["format", "lint", "types", "imports"],
)
def test_tool_is_content(command: list[str]) -> None:
    tool = BIN / command[0]
    result = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_resolution_is_current_and_stored_nowhere() -> None:
    """Every machine derives the lock from the fixed date; here it has to follow from pyproject.toml as it stands."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["uv"]["exclude-newer"].endswith("Z")
    assert "uv.lock" in (ROOT / ".gitignore").read_text().split()
    check = subprocess.run(["uv", "lock", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr


def test_cologen_is_a_namespace() -> None:
    """A stray ``cologen/__init__.py`` would hide the other members."""
    assert not list(ROOT.glob("packages/*/src/cologen/__init__.py"))


def test_no_tracked_file_is_large() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path, largest = ROOT / name, 16 if name.endswith("bases/world-tiny.safetensors") else 5
        assert not path.exists() or path.stat().st_size < largest * 2**20, f"{name} is over {largest} MB"
