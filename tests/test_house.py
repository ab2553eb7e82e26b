"""The repository itself: formatted, linted, typed, its imports in order, its resolution current, its words plain."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.slow
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


EXPORT = ["uv", "export", "--quiet", "--no-emit-workspace", "--no-header", "--no-annotate"]


def test_the_stored_resolution_is_the_derived_one_and_names_no_host(tmp_path: Path) -> None:
    """Anew: ``rm uv.lock; uv export --no-emit-workspace --no-header --no-annotate -o requirements.lock``.

    Derived in a folder that holds no lock: one that is already there would be kept, whatever the registry shows.
    """
    stored = (ROOT / "requirements.lock").read_text()
    assert "://" not in stored and "--index" not in stored
    for project in [ROOT / "pyproject.toml", *ROOT.glob("packages/*/pyproject.toml")]:
        copy = tmp_path / project.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(project.read_bytes())
    derived = subprocess.run(EXPORT, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert stored == derived


def test_a_training_node_installs_no_ray_and_no_detectors() -> None:
    """The trainer depends on datagen's core: what finds objects and what builds manifests are extras."""
    command = [*EXPORT, "--locked", "--package", "cologen-trainer", "--no-dev", "--no-hashes"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {line.split("==")[0] for line in listed.splitlines()}
    assert {"torch", "diffusers", "pyarrow", "opencv-python"} <= names
    extras = {"groundingdino-py", "segment-anything", "spacy", "controlnet-aux", "ray", "opencv-python-headless"}
    assert not names & extras


@pytest.mark.slow
def test_the_trainer_imports_nothing_that_a_training_node_lacks() -> None:
    absent = ["ray", "spacy", "groundingdino", "segment_anything", "controlnet_aux", "torchvision"]
    code = f"import sys; sys.modules |= dict.fromkeys({absent}); import cologen.trainer.cli, cologen.datagen.samples"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_contracts_name_every_folder() -> None:
    """A new folder of a member has its place in the order of imports."""
    contracts = (ROOT / ".importlinter").read_text()
    for member in ("datagen", "model", "trainer", "evaluation"):
        section = contracts.partition(f"[importlinter:contract:{member}]")[2].partition("[importlinter:")[0]
        named = set(re.findall(r"[a-z_]+", section.partition("layers =\n")[2]))
        folders = {
            path.parent.name for path in (ROOT / f"packages/{member}/src/cologen/{member}").glob("*/__init__.py")
        }
        assert folders <= named, f"{member}: {sorted(folders - named)}"


RETIRED = re.compile(r"turned away|whoever|nobody's concern|\bthe rooms?\b|\bSPEC \d", re.IGNORECASE)


def test_retired_words_are_gone() -> None:
    """One word, one meaning, and the field's own terms: see CONTRIBUTING.md."""
    text = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("p*/**/*.py")]
    text = [path for path in text if path.name not in {"expressions.py"}]  # those are words of annotators
    found = [f"{path.relative_to(ROOT)}: {word[0]}" for path in text for word in RETIRED.finditer(path.read_text())]
    assert not found, "\n".join(found)


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
