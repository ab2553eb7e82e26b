"""What the documents say is there: their links, the modules that they name, and their examples, which run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("examples/*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
MODULE = re.compile(r"`((?:\w+/)*\w+)\.py`")
PACKAGES = ("pictures", "reports", "datagen", "model", "trainer", "evaluation")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


def test_every_module_that_the_architecture_names_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    places = ("packages/*/src/cologen/**/*.py", "pipelines/*.py")
    known = {path.relative_to(ROOT).as_posix() for place in places for path in ROOT.glob(place)}
    missing = [name for name in MODULE.findall(text) if not any(path.endswith(f"/{name}.py") for path in known)]
    assert not missing


@pytest.mark.parametrize("package", PACKAGES)
def test_the_architecture_names_every_module_and_folder_at_a_package_s_root(package: str):
    text = (ROOT / "ARCHITECTURE.md").read_text()
    root = ROOT / f"packages/{package}/src/cologen/{package}"
    entries = [path for path in root.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    names = [f"`{path.stem}{'/' if path.is_dir() else '.py'}`" for path in entries if not path.stem.startswith("__")]
    assert names and not [name for name in names if name not in text]


def test_the_site_lists_every_page_and_every_api_page_names_modules_that_exist():
    listed = re.findall(r"[\w/-]+\.md", yaml.safe_dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert sorted(listed) == sorted([*pages, "deploy/README.md"])  # which docs/site.py adds
    for page in ROOT.glob("docs/api/*.md"):
        for name in re.findall(r"^::: cologen\.(.+)$", page.read_text(), re.MULTILINE):
            package, _, rest = name.partition(".")
            assert (ROOT / f"packages/{package}/src/cologen/{package}" / f"{rest.replace('.', '/')}.py").is_file(), name


DOTTED = re.compile(r"\bcologen\.(?:pictures|reports|datagen|model|trainer|evaluation)\.[a-z_0-9]+")


def test_every_module_named_anywhere_exists_also_in_code_that_is_a_string():
    """A linter does not see the imports of code that a test starts a process with."""
    roots = [*ROOT.glob("packages/*/src")]
    texts = [page for page in PAGES if page.name != "CHANGELOG.md"]  # it names those of before
    texts += [path for top in ("packages", "pipelines", "tests", "examples") for path in (ROOT / top).rglob("*.py")]
    names = {name for path in texts for name in DOTTED.findall(path.read_text())}
    paths = {name: [root / name.replace(".", "/") for root in roots] for name in names}
    assert len(names) > 50
    assert [
        name for name, at in paths.items() if not any(p.is_dir() or p.with_suffix(".py").exists() for p in at)
    ] == []


def example(name: str, *arguments: str, cwd: Path) -> str:
    command = [sys.executable, ROOT / "examples" / name, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_inference_example_generates_an_image(tmp_path: Path):
    example("inference.py", cwd=tmp_path)
    assert (tmp_path / "generated.png").stat().st_size > 1000


def test_the_recipe_example_is_a_recipe():
    from cologen.trainer.recipes.catalog import load_recipe

    recipe = load_recipe(str(ROOT / "examples/own_recipe.toml"))
    assert [stage.task for stage in recipe.stages] == ["inpaint", "editing"]


@pytest.mark.slow
def test_the_dataset_example_builds_a_manifest_that_the_reading_example_reads(tmp_path: Path):
    said = example("own_dataset.py", cwd=tmp_path)
    assert "12 samples" in said
    said = example("read_manifest.py", str(tmp_path / "own-manifest"), cwd=tmp_path)
    assert said.startswith("inpaint from")
