"""The line says where training is, how fast it goes and how long it will take, on terminals and elsewhere."""

import io

import pytest
from rich.console import Console

from cologen.reports.durations import duration
from cologen.trainer.loop.watcher import Watcher
from cologen.trainer.watchers.machine import Machine
from cologen.trainer.watchers.progress import LiveProgress
from tests.trainer.made_up import Clock, loaded, report, short, validation


def shown(*, terminal: bool, first: int = 0, stages: tuple[int, ...] = (1, 2), width: int = 160) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width)
    recipe = short()
    with LiveProgress(recipe, stages, console, clock=Clock()) as live:
        assert isinstance(live, Watcher)
        live.stage_begins(1, recipe.stages[1], first)
        for step in range(first, 10):
            live.step_done(1, loaded(step), report(1.5), 0.1)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_elsewhere_there_are_plain_lines():
    lines = shown(terminal=False).splitlines()
    assert lines[0] == "stage 1 grounding: 10 steps of 4 samples"
    assert len(lines) == 6
    # a step of 4 samples each second: 8 steps are left, and then the 10 of stage 2
    assert lines[1] == (
        "stage 1 grounding  step 2/10  loss 1.5000  U_t 0.50 (ρ 0.8)  1.00 s/step  4.0 samples/s  waited 50%  "
        "0:08 left (0:18 in all)"
    )
    assert lines[-1].endswith("done in 0:11")
    assert "\x1b" not in "".join(lines)


def test_the_last_stage_has_nothing_after_it():
    assert "in all" not in shown(terminal=False, stages=(1,))


def test_a_stage_that_goes_on_says_from_where():
    lines = shown(terminal=False, first=4).splitlines()
    assert lines[0].endswith("from step 4")
    assert "step 6/10  loss 1.5000  U_t 0.50 (ρ 0.8)  1.00 s/step  4.0 samples/s  waited 50%  0:04 left" in lines[1]


def test_of_a_known_gpu_it_says_what_is_reached_of_its_peak():
    console = Console(file=io.StringIO(), width=160)
    recipe, machine = short(), Machine(peak=1e12, operations={0: 10**11})
    with LiveProgress(recipe, (0,), console, machine=machine, clock=Clock()) as live:
        live.stage_begins(0, recipe.stages[0], 0)
        for step in range(2):
            live.step_done(0, loaded(step), report(1.5), 0.1)
    assert isinstance(console.file, io.StringIO)
    # 4 samples a second of 10¹¹ operations each
    assert "4.0 samples/s  40% of peak  waited 50%" in console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 160])
def test_on_a_terminal_the_line_is_alive(width: int):
    text = " ".join(shown(terminal=True, width=width).split())
    assert "\x1b" in text
    for part in ("stage 1 grounding", "10/10", "loss 1.5000", "U_t 0.50", "4.0 samples/s"):
        assert part in text


def test_a_skipped_step_is_said_and_no_source_has_no_usage():
    console = Console(file=io.StringIO(), width=160)
    recipe = short(base=True)
    with LiveProgress(recipe, (0,), console, clock=Clock()) as live:
        live.stage_begins(0, recipe.stages[0], 0)
        for step in range(2):
            live.step_done(0, loaded(step), report(float("nan"), usage=None, skipped=True), 0.1)
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().splitlines()[-1]
    assert last.endswith("not finite, skipped")
    assert "U_t" not in last


@pytest.mark.parametrize(
    ("seconds", "words"), [(7.4, "0:07"), (754.0, "12:34"), (12345.0, "3:25:45"), (443000.0, "5 d 3 h")]
)
def test_durations(seconds: float, words: str):
    assert duration(seconds) == words


def test_a_validation_is_a_line_where_lines_stay():
    console = Console(width=200, record=True, quiet=False, file=io.StringIO(), force_terminal=False)
    with LiveProgress(short(), (0,), console, clock=Clock()) as live:
        live.stage_begins(0, short().stages[0], 0)
        live.validated(validation(0, 4))
        live.validated(validation(0, 6, own_tasks=()))
    lines = console.export_text().splitlines()
    assert lines[1:] == [
        "stage 0 inpaint  after step 4  held out 2.5000 (3.0 s)",
        "stage 0 inpaint  after step 6  held out 1.5500 (3.0 s)",
    ]
