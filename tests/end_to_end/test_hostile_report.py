"""A manifest whose every text is an attack gives a page and a card in which nothing runs and nothing is markup."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from pydantic import BaseModel

from cologen.datagen import rle
from cologen.datagen.manifest import Manifest, PartContent, commit_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import MIX_COLUMNS, SCHEMAS, Task
from cologen.datagen.records import Reason, Rejection
from cologen.datagen.review.card import card
from cologen.datagen.review.report import write_report
from pipelines import view

RUN = "document.documentElement.dataset.ran=1"
ATTACK = f'[/red]"\'></title></style></pre><script>{RUN}</script><img src=x onerror="{RUN}"><svg onload="{RUN}"/>'
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Recipe(BaseModel):
    policy: str = ATTACK


def _value(kind: pa.DataType) -> Any:
    """A value of an Arrow type, an attack wherever it holds text."""
    if pa.types.is_string(kind):
        return ATTACK
    if pa.types.is_binary(kind):
        return rle.encode(np.eye(16, dtype=np.uint8))
    if pa.types.is_boolean(kind):
        return False
    if pa.types.is_fixed_size_list(kind):
        return [_value(kind.value_type)] * kind.list_size
    if pa.types.is_list(kind):
        return [_value(kind.value_type)]
    if pa.types.is_struct(kind):
        return {field.name: _value(field.type) for field in kind}
    return 16


def _hostile(folder: Folder, task: Task) -> Manifest:
    folder.create()
    row = {field.name: _value(field.type) for field in SCHEMAS[task]} | {"task": task}
    lost = Rejection(sample_id=ATTACK, stage=ATTACK, reason=Reason.MISSING_IMAGE, detail=ATTACK)
    report = commit_part(folder, 0, PartContent.of(task, [row], [lost]))
    report = report.model_copy(update={"rejected": {ATTACK: 1}})
    asked = {ATTACK: 1.0} if MIX_COLUMNS[task] else {}
    manifest = Manifest.empty(task, ATTACK, Recipe(), num_parts=1, root=Path(ATTACK), mix=asked).finished([report])
    save_manifest(folder, manifest)
    return manifest


class _Markup(HTMLParser):
    """Collects elements that can run something or fetch something, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("script", "iframe", "object", "embed", "link", "base", "form", "a"):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "href") and not (value or "").startswith("data:")):
                self.found.append(f"{tag} {name}")


@pytest.mark.parametrize("task", get_args(Task))
def test_no_text_of_a_manifest_is_markup(task: Task, tmp_path: Path) -> None:
    folder = Folder.open(tmp_path / "out")
    manifest = _hostile(folder, task)
    write_report(folder, manifest, tmp_path)
    page = folder.read("report.html").decode()
    parsed = _Markup()
    parsed.feed(page)
    assert parsed.found == []
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert page.count("&lt;script&gt;") >= 4
    words = card(manifest, synthetic=True).split("```json")[0]
    assert "<script>" not in words
    assert "<img" not in words


@pytest.mark.parametrize("task", ["inpaint", "editing"])
def test_a_hostile_manifest_is_viewed_without_a_traceback(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _hostile(Folder.open(tmp_path / "x[/b]"), task)
    assert view.main([str(tmp_path / "x[/b]")]) == 0
    assert "[/red]" in capsys.readouterr().out


def _dom(page: Path) -> str:
    """What a browser makes of a page, after its scripts."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"]
    profile = f"--user-data-dir={page.parent / 'profile'}"
    ran = subprocess.run([*command, profile, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return ran.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
def test_no_script_runs_in_a_browser(tmp_path: Path) -> None:
    (tmp_path / "open.html").write_text(f"<!doctype html><title>x</title>{ATTACK}")
    assert "data-ran" in _dom(tmp_path / "open.html").split(">", 2)[1]
    for task in ("inpaint", "grounding", "editing"):
        folder = Folder.open(tmp_path / task)
        write_report(folder, _hostile(folder, task), tmp_path)
        dom = _dom(Path(folder.path, "report.html"))
        assert "data-ran" not in dom.split(">", 2)[1]
        assert "<h2>Samples</h2>" in dom


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
def test_the_policy_alone_stops_scripts(tmp_path: Path) -> None:
    """Should anything ever be left unescaped."""
    folder = Folder.open(tmp_path / "out")
    write_report(folder, _hostile(folder, "control"), tmp_path)
    page = Path(folder.path, "report.html")
    page.write_text(page.read_text().replace("<h2>Samples</h2>", f"<h2>Samples</h2>{ATTACK}"))
    assert "data-ran" not in _dom(page).split(">", 2)[1]
