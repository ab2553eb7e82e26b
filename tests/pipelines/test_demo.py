"""The demo answers every task with the bundled base, says mistakes in a sentence, and serves a page that a browser can
use."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cologen.model.adapters import save_adapter
from cologen.model.tasks import TASK_NAMES, TaskName
from pipelines import demo
from pipelines.demo_answers import Model, Request, answer
from pipelines.demo_examples import Example, examples
from pipelines.pipeline_options import PipelineOptions
from tests.model.tiny_flux import write_flux

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.of(PipelineOptions(device="cpu"))


@pytest.fixture(scope="module")
def drawn() -> dict[TaskName, tuple[Example, ...]]:
    return examples(32)


def asked(task: TaskName, example: Example, **changes: Any) -> Request:
    request = Request(task=task, picture=example.picture, mask=example.mask, prompt=example.prompt, steps=2)
    return replace(request, **changes)


def unheard(_done: int, _total: int) -> None:
    pass


def picture_of(model: Model, request: Request) -> bytes:
    return answer(model, request, unheard).picture.tobytes()


@pytest.mark.parametrize("task", TASK_NAMES)
def test_every_task_is_answered_by_its_own_stage_and_shows_its_routing(
    task: TaskName, model: Model, drawn: dict[TaskName, tuple[Example, ...]]
) -> None:
    heard: list[tuple[int, int]] = []
    found = answer(model, asked(task, drawn[task][0]), lambda done, total: heard.append((done, total)))
    assert found.picture.size == (32, 32)
    assert heard == [(1, 2), (2, 2)]
    stage = TASK_NAMES.index(task)
    assert re.fullmatch(rf"2 steps in \d+\.\d s · 32 × 32 pixels · seed 0 · stage {stage}", found.summary)
    names = re.findall(r'<text [^>]*text-anchor="end"[^>]*>([a-z]+)</text>', found.routing)
    assert names == list(TASK_NAMES[: stage + 1])


def test_an_answer_depends_on_the_request_alone(model: Model, drawn: dict[TaskName, tuple[Example, ...]]) -> None:
    """Not on the stage and the strength of the one before."""
    first = asked("editing", drawn["editing"][0])
    before = picture_of(model, first)
    others = [replace(first, seed=1), replace(first, strength=0.0), replace(first, stage=0), replace(first, cfg=1.5)]
    assert before not in [picture_of(model, other) for other in others]
    assert picture_of(model, first) == before


def test_examples_are_the_same_every_time_and_holes_are_in_their_pictures(
    drawn: dict[TaskName, tuple[Example, ...]],
) -> None:
    again = examples(32)
    for task, of_task in drawn.items():
        for one, other in zip(of_task, again[task], strict=True):
            assert (one.prompt, one.picture.tobytes()) == (other.prompt, other.picture.tobytes())
            assert (one.mask is not None) == (task == "inpaint")
            assert one.mask is None or (one.mask.size == one.picture.size and np.asarray(one.mask).any())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"picture": None}, "There is no picture yet"),
        ({"mask": None}, "Nothing is painted over"),
        ({"mask": Image.new("L", (32, 32))}, "Nothing is painted over"),
        ({"task": "editing", "prompt": " "}, "The prompt is empty"),
        ({"prompt": "very " * 25}, "The prompt is too long: 25 words and punctuation marks, and this base reads 24"),
        ({"steps": 0}, "Steps go from 1 to 200, not 0"),
        ({"seed": -1}, "The seed is a whole number from 0"),
        ({"width": 100_000}, "The width goes up to 2048 pixels"),
        ({"stage": 7}, "holds no router of stage 7"),
    ],
)
def test_a_mistake_is_a_sentence(
    changes: dict[str, Any], message: str, model: Model, drawn: dict[TaskName, tuple[Example, ...]]
) -> None:
    with pytest.raises(ValueError, match=message):
        answer(model, replace(asked("inpaint", drawn["inpaint"][0]), **changes), unheard)


def test_a_hole_can_be_filled_without_a_prompt(model: Model, drawn: dict[TaskName, tuple[Example, ...]]) -> None:
    assert picture_of(model, asked("inpaint", drawn["inpaint"][0], prompt=""))


def test_a_flux_folder_answers_with_the_newest_stage_of_its_adapter(
    tmp_path: Path, drawn: dict[TaskName, tuple[Example, ...]]
) -> None:
    base = write_flux(tmp_path / "flux")
    bare = Model.of(PipelineOptions(base=str(base), device="cpu"))
    request = asked("editing", drawn["editing"][0], prompt="make it blue " * 20, width=16, height=16)
    found = answer(bare, request, unheard)
    assert (found.routing, found.summary.rpartition(" · ")[2]) == ("", "no adapter")
    bare.pipeline.transformer.add_expert(0)
    save_adapter(bare.pipeline.transformer, tmp_path / "adapter")
    model = Model.of(PipelineOptions(base=str(base), adapter=tmp_path / "adapter", device="cpu"))
    found = answer(model, request, unheard)
    assert found.summary.endswith("stage 0")
    assert "expert 0" in found.routing


def test_without_gradio_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _name: None)
    assert demo.main([]) == 1
    assert "uv run --extra demo python -m pipelines.demo" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_only_this_machine_s_own_addresses_go_without_a_warning(host: str, here: bool) -> None:
    assert demo.is_loopback(host) is here


def test_what_an_editor_shows_enlarged_comes_back_as_it_was(drawn: dict[TaskName, tuple[Example, ...]]) -> None:
    pytest.importorskip("gradio", reason="needs the extra demo")
    from pipelines.demo_page import as_it_was, enlarged

    example = drawn["inpaint"][0]
    assert example.mask is not None
    shown, hole = enlarged(example.picture), enlarged(example.mask)
    assert shown.size == (384, 384)
    found = as_it_was(shown, hole)
    assert [each.tobytes() for each in found] == [example.picture.tobytes(), example.mask.tobytes()]
    photo = example.picture.resize((384, 384), Image.Resampling.BICUBIC)
    assert as_it_was(photo, hole) == (photo, hole)
    assert enlarged(photo) is photo


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a page that is served by the command, as a process of its own."""
    pytest.importorskip("gradio", reason="needs the extra demo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipelines.demo", "--device", "cpu", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("The page is at"):
                break
        try:
            assert process.poll() is None, "".join(said)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            rest, code = process.stdout.read(), process.wait(timeout=60)
    assert (code, rest) == (130, "Stopped.\n")


FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
def test_a_browser_paints_a_hole_and_is_told_of_a_bad_file(address: str, tmp_path: Path) -> None:
    """It also asks no other server for anything."""
    from playwright.sync_api import sync_playwright

    (tmp_path / "bad.png").write_text("no picture")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1240, "height": 1040})
        page.set_default_timeout(60_000)
        asked_of: set[str] = set()
        page.on("request", lambda request: asked_of.add(request.url))
        page.goto(address)
        tab, result = page.locator("#tab-inpaint"), page.locator("#result img")

        generate = tab.get_by_role("button", name="Generate")
        generate.wait_for()
        for _ in range(6):  # the editor takes no file until its scripts are ready, which nothing on the page tells
            page.wait_for_timeout(3000)
            tab.locator("input[type=file]").first.set_input_files(ROOT / "examples" / "pictures" / "scene.png")
            page.wait_for_timeout(3000)
            generate.click()
            page.get_by_text(re.compile("Nothing is painted over|There is no picture yet")).last.wait_for()
            if page.get_by_text("Nothing is painted over").count():
                break
        page.get_by_text("Nothing is painted over").first.wait_for()
        box = tab.locator("canvas").first.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 40, y + 30, steps=8)
        page.mouse.up()
        generate.click()
        result.wait_for()
        assert "32 × 32 pixels" in page.locator("#summary").inner_text()
        assert page.locator("#routing svg").count() == 1

        page.get_by_role("tab", name="Editing").click()
        page.locator("#tab-editing input[type=file]").first.set_input_files(tmp_path / "bad.png")
        page.get_by_text("not a picture that can be read").first.wait_for()
        browser.close()
    assert {url for url in asked_of if not url.startswith((address, "data:", "blob:"))} == set()
