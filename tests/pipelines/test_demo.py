"""The demo answers every task with the bundled base, says mistakes in a sentence, and serves a page that a browser can
use."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cologen.datagen.drawn_pairs import PAIRS
from cologen.model.adapters import save_adapter
from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.model.world_text import tokens_of
from pipelines import demo
from pipelines.demo_answers import Model, Request, answer, seed_in
from pipelines.demo_examples import Example, examples
from pipelines.demo_pictures import as_it_was, enlarged
from pipelines.demo_turns import Stopped, Turns
from pipelines.demo_words import LEARNED
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
        ({"seed": -1}, "The seed is a whole number from 0 to 18446744073709551615, not -1"),
        ({"seed": 2**64}, "The seed is a whole number from 0"),
        ({"width": 257}, "The width goes up to 256 pixels here, not 257"),
        ({"height": -1, "width": 32}, "The height goes up to 256 pixels here, not -1"),
        ({"picture": Image.new("RGB", (4, 40)), "width": 32}, "The height goes up to 256 pixels here, not 320"),
        ({"stage": 7}, "holds no router of stage 7"),
    ],
)
def test_a_mistake_is_a_sentence(
    changes: dict[str, Any], message: str, model: Model, drawn: dict[TaskName, tuple[Example, ...]]
) -> None:
    with pytest.raises(ValueError, match=message):
        answer(model, replace(asked("inpaint", drawn["inpaint"][0]), **changes), unheard)


def test_what_a_seed_field_holds_is_exact_or_refused() -> None:
    assert [seed_in(text) for text in (" 7 ", "", "-1", str(2**64 - 1))] == [7, 0, -1, 2**64 - 1]
    with pytest.raises(ValueError, match=r"The seed is a whole number from 0 to \d+, not 1\.5"):
        seed_in("1.5")


def test_a_fitted_size_and_words_that_were_never_learned_are_said(
    model: Model, drawn: dict[TaskName, tuple[Example, ...]]
) -> None:
    request = asked("editing", drawn["editing"][0], prompt="Make the Dragon blue.", width=33, height=17)
    said = answer(model, request, unheard).summary
    assert "32 × 16 pixels, for 33 × 17 · " in said
    assert said.endswith("words it never learned: dragon")


def test_the_learned_words_are_those_of_the_prompts() -> None:
    prompts = [PAIRS[task](9, index, "simple", 32).prompt for task in TASK_NAMES for index in range(8)]
    assert {word for prompt in prompts for word in tokens_of(prompt) if word.isalpha()} <= LEARNED


def test_a_stopped_drawing_ends_after_its_step_and_the_next_is_whole(
    model: Model, drawn: dict[TaskName, tuple[Example, ...]]
) -> None:
    request = asked("editing", drawn["editing"][0], steps=4)
    model.turns.stop()  # nothing is drawn now: it is not meant for the next
    whole = picture_of(model, request)
    done: list[int] = []

    def stops(step: int, _total: int) -> None:
        done.append(step)
        model.turns.stop()

    with pytest.raises(Stopped):
        answer(model, request, stops)
    assert done == [1]
    assert picture_of(model, request) == whole


def test_after_the_close_no_turn_is_given() -> None:
    turns = Turns()
    with turns.taken():
        assert not turns.close(0.01)
        assert turns.stopping
    assert turns.close(0.01)
    with pytest.raises(Stopped), turns.taken():
        pass


def test_a_taken_port_is_said_before_the_model_is_opened(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gradio", reason="needs the extra demo")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert demo.main(["--port", str(port)]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"Failed: port {port} is in use: give another --port\n")


def test_an_address_can_be_clicked_and_an_empty_host_is_refused() -> None:
    assert demo.address("::1", 7860) == "http://[::1]:7860"
    assert demo.address("127.0.0.1", 7860) == "http://127.0.0.1:7860"
    with pytest.raises(ValueError, match="--host is empty"):
        demo.Options(host="")


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
    example = drawn["inpaint"][0]
    assert example.mask is not None
    shown, hole = enlarged(example.picture), enlarged(example.mask)
    assert shown.size == (384, 384)
    found = as_it_was(shown, hole, (32, 32))
    assert [each.tobytes() for each in found] == [example.picture.tobytes(), example.mask.tobytes()]
    assert as_it_was(shown, hole, None) == (shown, hole), "an upload that only looks enlarged"
    assert as_it_was(shown, hole, (60, 60)) == (shown, hole), "the picture that was there before"
    assert enlarged(shown) is shown


@contextmanager
def served() -> Generator[str]:
    """A page's address, served by the command as a process of its own, which Ctrl-C ends."""
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
            process.send_signal(signal.SIGINT)
            rest, code = process.stdout.read(), process.wait(timeout=60)
    assert (code, rest) == (130, "Stopped.\n")


@pytest.mark.slow
def test_ctrl_c_ends_a_drawing_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: dict[TaskName, tuple[Example, ...]]
) -> None:
    """The request is sent as the page sends it."""
    httpx = pytest.importorskip("httpx", reason="needs the extra demo")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with served() as address, httpx.Client(base_url=address, timeout=60) as client:
        picture = BytesIO()
        drawn["editing"][0].picture.save(picture, "PNG")
        path = client.post("/gradio_api/upload", files={"files": ("one.png", picture.getvalue())}).json()[0]
        given = {"path": path, "meta": {"_type": "gradio.FileData"}}
        settings = ["0", 100, 1.5, 256, 256, -1, 1]
        number = [each["id"] for each in client.get("/config").json()["dependencies"] if len(each["inputs"]) == 10][-1]
        data = [given, "Make the ring on the left black.", None, *settings]
        client.post("/gradio_api/queue/join", json={"data": data, "fn_index": number, "session_hash": "one"})
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "one"}) as answers:
            assert any('"msg":"progress"' in line for line in answers.iter_lines())
        assert list(tmp_path.rglob("one.png"))
    assert list(tmp_path.glob("cologen-demo-*")) == []


FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
def test_a_browser_paints_a_hole_and_is_told_of_a_bad_file(tmp_path: Path) -> None:
    """It also asks no other server for anything."""
    from playwright.sync_api import sync_playwright

    (tmp_path / "bad.png").write_text("no picture")
    with served() as address, sync_playwright() as playwright:
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

        tab.locator("input[type=file]").first.set_input_files(tmp_path / "bad.png")
        tab.get_by_text("bad.png is not a picture that can be read").wait_for()
        page.get_by_role("tab", name="Editing").click()
        page.wait_for_function("!document.querySelector('#result img') && !document.querySelector('#routing svg')")
        page.locator("#tab-editing input[type=file]").first.set_input_files(tmp_path / "bad.png")
        page.get_by_text("This file is not a picture that can be read").first.wait_for()
        browser.close()
    assert {url for url in asked_of if not url.startswith((address, "data:", "blob:"))} == set()
