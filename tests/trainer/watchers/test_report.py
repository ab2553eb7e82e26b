"""One page holds everything, asks for nothing from elsewhere, and shows what the logs say so far."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.reports.contact_sheet import png
from cologen.trainer.loop.watcher import Watcher
from cologen.trainer.watchers.grids import grid_path
from cologen.trainer.watchers.held_out_metrics import held_out_metrics
from cologen.trainer.watchers.metrics import HELD_OUT, append
from cologen.trainer.watchers.report import Reports, write_report
from cologen.trainer.watchers.tracking import Tracker
from tests.trainer.made_up import ALONE, loaded, report, routing, short, validation


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two of three stages, the second up to step 6 of 10."""
    recipe = short()
    with Tracker(tmp_path, recipe, ALONE) as tracker:
        for number, last in ((0, 10), (1, 6)):
            task = recipe.stages[number].task
            tracker.stage_begins(number, recipe.stages[number], 0)
            for step in range(last):
                chosen = routing([[0, number, number, number, number, number]] * 2, num_experts=number + 1)
                found = report(2.0 - 0.1 * step, task, routing=chosen)
                tracker.step_done(number, loaded(step, task), found, 0.1)
    path = grid_path(tmp_path, recipe, 0)
    path.parent.mkdir()
    path.write_bytes(png(Image.new("RGB", (8, 8))))
    return tmp_path


def test_the_page_tells_of_each_stage(run: Path):
    page = write_report(run, short()).read_text()
    assert "Stage 0: inpaint<" in page
    assert "Stage 1: grounding" in page
    assert "6 of 10 steps so far" in page
    assert "Stage 2" not in page
    assert "U_t, asked: ρ = 0.8" in page
    assert page.count("data:image/png;base64,") == 1
    assert re.search(r"<b>40</b><small>samples", page)
    assert re.search(r"<b>1\.95 → 1\.15</b>", page)
    assert page.count("Experts chosen for") == 2
    assert page.count("by the flow time t</h3>") == 2 and page.count(">t 0.8–1.0</text>") == 2
    assert "seconds per step" in page and "GPU memory" not in page
    assert "83 %" in page  # five of six blocks chose expert 1


def test_a_rate_that_falls_and_curves_of_tasks_before_are_explained(run: Path):
    recipe = short()
    assert "the learning rate falls" not in write_report(run, recipe).read_text()
    assert "is being forgotten" not in write_report(run, recipe).read_text()
    append(run / HELD_OUT, held_out_metrics(validation(1, 6, [[1.0, 1.0], [1.0, 1.0], [0.5, 0.7]]), "grounding"))
    stages = tuple(stage.replace(decay_share=0.4) for stage in recipe.stages)
    page = write_report(run, recipe.replace(stages=stages)).read_text()
    assert page.count("In the last 40 % of the steps the learning rate falls to 0") == 2
    assert page.count("where it rises, the task is being forgotten") == 1
    assert "Held-out loss of inpaint, learned before" in page


def test_the_page_says_what_each_gate_asks_and_how_fast_routers_learn(run: Path):
    first, second, *rest = short().stages
    shares = {"inpaint": 1.0, "grounding": 4.0}
    gated = second.replace(task_shares=shares, gate_per_task=True, router_rate=5.0, learning_rate=2e-3)
    page = write_report(run, short().replace(stages=(first, gated, *rest))).read_text()
    assert "U_t of grounding, asked: ρ = 1" in page
    assert "<td>0.002 (routers × 5)<td>0.8<td>0.5 (a gate for each task, with ρ = 1)" in page
    assert "<td>0.8<td>0.5<td>" in page, "the third stage has one gate"


def test_the_page_is_whole_and_asks_for_nothing(run: Path):
    page = write_report(run, short()).read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http:" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in page
    assert page.index("Content-Security-Policy") < page.index("<title>")

    class Tags(HTMLParser):
        opened = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.opened += tag in ("section", "div", "svg", "details")

        def handle_endtag(self, tag: str) -> None:
            self.opened -= tag in ("section", "div", "svg", "details")

    tags = Tags()
    tags.feed(page)
    assert tags.opened == 0


def test_maps_are_files_of_their_own_too(run: Path):
    write_report(run, short())
    files = sorted((run / "routing").iterdir())
    assert [file.name for file in files] == ["0-inpaint.svg", "1-grounding.svg"]
    assert all(ElementTree.parse(file).getroot().tag.endswith("svg") for file in files)


def test_a_run_without_steps_has_a_page(tmp_path: Path):
    assert "No step has been logged yet" in write_report(tmp_path, short()).read_text()


def test_it_is_written_at_the_end_of_each_stage(run: Path):
    reports = Reports(run, short(), ALONE)
    assert isinstance(reports, Watcher)
    reports.stage_ends(0, build(preset("world-tiny")))
    assert (run / "report.html").exists()


def test_the_gate_s_loss_is_drawn_and_its_effect_explained_where_there_is_one(run: Path):
    first, second = write_report(run, short()).read_text().split("Stage 1: grounding")
    assert "Veteran gate loss, α·|U_t − ρ|, α = 0.5" in second
    assert "L_task can rise at first" in second
    assert "U_t (eq. 8) is the share of choices" in second and "Routing: a column for each block" in second
    assert "goes to 0 over 0 steps" in second
    assert "Veteran gate loss" not in first
    assert "can rise" not in first


def test_the_axes_of_losses_begin_at_zero(run: Path):
    """The losses logged are 1.05 to 1.95; an axis cut at 1 would make a fall by half of one to nothing."""
    page = write_report(run, short()).read_text()
    figures = re.findall(r"<h3>(Loss|Veteran)[^<]*</h3>(<svg.*?</svg>)", page)
    assert [name for name, _ in figures] == ["Loss", "Loss", "Loss", "Loss", "Veteran"]
    for _, svg in figures:
        labels = [text.text for text in ElementTree.fromstring(svg).iter("text")]
        assert labels[0] == "0"


def test_no_text_of_a_run_is_markup_or_a_path(run: Path):
    """Names of manifests come from a recipe file, tasks and losses from the logs."""
    attack = "<script>x</script>"
    recipe = short()
    stages = (recipe.stages[0].replace(manifests={attack: 1.0}), *recipe.stages[1:])
    for log in ("metrics.jsonl", "routing.jsonl"):
        lines = (run / log).read_text()
        (run / log).write_text(lines.replace('"task":"inpaint"', '"task":"../<script>x</script>"'))
    page = write_report(run, recipe.replace(stages=stages)).read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 1
    assert sorted(path.name for path in run.parent.glob("*.svg")) == []
    assert all("script" not in path.name for path in (run / "routing").iterdir())
