"""What was logged is the mean of what happened, once for each step, also after going back to a checkpoint."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.reports.contact_sheet import png
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.watcher import Watcher
from cologen.trainer.watchers.grids import grid_path
from cologen.trainer.watchers.held_out_grids import HeldOutGrids, held_out_grid_path
from cologen.trainer.watchers.metrics import (
    HELD_OUT,
    METRICS,
    ROUTING,
    HeldOutMetrics,
    RoutingMetrics,
    StepMetrics,
    read,
)
from cologen.trainer.watchers.tracking import Tracker
from tests.trainer.made_up import ALONE, Clock, held_out_sample, loaded, report, short, validation


def follow(folder: Path, first: int, last: int, number: int = 0, iterations: int = 10) -> None:
    """Track steps ``first`` to ``last`` of a stage; step n has loss n."""
    recipe = short(iterations=iterations)
    with Tracker(folder, recipe, ALONE, clock=Clock()) as tracker:
        tracker.stage_begins(number, recipe.stages[number], first)
        for step in range(first, last):
            tracker.step_done(number, loaded(step), report(float(step)), 0.01 * step)


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard" / "0-inpaint")).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_it_is_a_watcher(tmp_path: Path):
    assert isinstance(Tracker(tmp_path, short(), ALONE), Watcher)


def test_steps_are_averaged_two_by_two(tmp_path: Path):
    follow(tmp_path, 0, 5)
    found = read(tmp_path / METRICS, StepMetrics)
    assert [(each.step, each.loss, each.num_steps) for each in found] == [(2, 0.5, 2), (4, 2.5, 2)]
    first = found[0]
    assert (first.stage, first.task, first.usage, first.waited, first.seconds) == (0, "inpaint", 0.5, 1.0, 1.0)
    assert first.samples_per_second == 8  # two steps of 4 samples
    assert (first.learning_rate, first.skipped, first.failed) == (0.01, 0, 0)
    assert first.per_task == {"inpaint": 0.5}
    assert first.per_time_bin == {"0.0-0.2": 0.5, "0.8-1.0": 0.5}
    assert (first.peak_share, first.gpu_memory) == (None, None)
    for tag, value in (("machine/seconds_per_step", 0.5), ("data/waited_share", 1.0), ("loss_by_time/0.8-1.0", 0.5)):
        assert scalars(tmp_path, tag)[0] == (2, value)
    # three blocks: one sample chose expert 0 in the first of them
    assert first.router == pytest.approx(
        {
            "inpaint/entropy": 0.56234,
            "inpaint/gate_weight": 0.75,
            "inpaint/usage_0": 0.16667,
            "inpaint/usage_1": 0.83333,
        }
    )


def test_a_log_of_before_is_read_without_what_was_not_logged_then(tmp_path: Path):
    follow(tmp_path, 0, 4)
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    later = ("per_time_bin", "peak_share", "gpu_memory")
    old = [{name: value for name, value in each.items() if name not in later} for each in lines]
    (tmp_path / METRICS).write_text("".join(json.dumps(each) + "\n" for each in old))
    assert [(each.step, each.per_time_bin, each.peak_share) for each in read(tmp_path / METRICS, StepMetrics)] == [
        (2, {}, None),
        (4, {}, None),
    ]


def test_a_stage_is_logged_to_its_last_step(tmp_path: Path):
    follow(tmp_path, 0, 3, iterations=3)
    assert [(each.step, each.num_steps) for each in read(tmp_path / METRICS, StepMetrics)] == [(2, 2), (3, 1)]


def test_going_back_logs_no_step_twice(tmp_path: Path):
    follow(tmp_path, 0, 9)
    follow(tmp_path, 4, 10)
    assert [each.step for each in read(tmp_path / METRICS, StepMetrics)] == [2, 4, 6, 8, 10]
    routings = read(tmp_path / ROUTING, RoutingMetrics)
    assert [each.step for each in routings] == [2, 4, 6, 8, 10]
    assert [value for _, value in scalars(tmp_path, "loss/task")] == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert [step for step, _ in scalars(tmp_path, "loss/task")] == [2, 4, 6, 8, 10]


def test_an_interruption_costs_a_few_lines_at_most(tmp_path: Path):
    follow(tmp_path, 0, 5)
    follow(tmp_path, 5, 10)
    found = read(tmp_path / METRICS, StepMetrics)
    assert [(each.step, each.num_steps) for each in found] == [(2, 2), (4, 2), (6, 1), (8, 2), (10, 2)]


def test_a_stage_trained_anew_forgets_those_after_it(tmp_path: Path):
    follow(tmp_path, 0, 10)
    follow(tmp_path, 0, 10, number=1)
    follow(tmp_path, 0, 4)
    assert [(each.stage, each.step) for each in read(tmp_path / METRICS, StepMetrics)] == [(0, 2), (0, 4)]


def test_routing_is_kept_block_by_block(tmp_path: Path):
    follow(tmp_path, 0, 10)
    last = read(tmp_path / ROUTING, RoutingMetrics)[-1]
    assert (last.task, last.num_samples) == ("inpaint", 4)
    assert last.usage == [[0.5, 0.5], [0.0, 1.0], [0.0, 1.0]]


def test_skipped_steps_count_and_stay_out_of_the_means(tmp_path: Path):
    recipe = short()
    with Tracker(tmp_path, recipe, ALONE) as tracker:
        tracker.stage_begins(0, recipe.stages[0], 0)
        for step, loss in enumerate([1.0, float("nan"), float("inf"), float("nan")]):
            tracker.step_done(0, loaded(step, failed=step), report(loss, skipped=step > 0), 0.1)
    first, second = read(tmp_path / METRICS, StepMetrics)
    assert (first.loss, first.skipped, first.failed) == (1.0, 1, 1)
    assert (second.loss, second.usage, second.skipped, second.failed, second.per_task) == (None, None, 2, 5, {})


def test_routers_without_numbers_are_left_out_of_the_log(tmp_path: Path):
    recipe, broken = short(), report(float("nan"), skipped=True)
    assert broken.routing is not None
    nothing = broken.routing.probability * float("nan")
    broken = dataclasses.replace(broken, routing=dataclasses.replace(broken.routing, probability=nothing))
    with Tracker(tmp_path, recipe, ALONE) as tracker:
        tracker.stage_begins(0, recipe.stages[0], 0)
        for step in range(2):
            tracker.step_done(0, loaded(step), broken if step else report(1.0), 0.1)
    (found,) = read(tmp_path / METRICS, StepMetrics)
    assert found.router
    assert all(math.isfinite(value) for value in found.router.values())


def test_without_a_source_there_is_no_routing(tmp_path: Path):
    recipe = short(base=True)
    with Tracker(tmp_path, recipe, ALONE) as tracker:
        tracker.stage_begins(0, recipe.stages[0], 0)
        for step in range(2):
            tracker.step_done(0, loaded(step, source=False), report(1.0, usage=None, routing=None), 0.1)
    (found,) = read(tmp_path / METRICS, StepMetrics)
    assert (found.usage, found.router, found.per_task) == (None, {}, {"inpaint": 1.0})
    assert not (tmp_path / ROUTING).exists()


def test_only_the_first_process_writes(tmp_path: Path):
    recipe = short()
    folder = tmp_path / "run"
    with Tracker(folder, recipe, dataclasses.replace(ALONE, rank=1)) as tracker:
        tracker.stage_begins(0, recipe.stages[0], 0)
        for step in range(2):
            tracker.step_done(0, loaded(step), report(1.0), 0.1)
    assert isinstance(ALONE, Processes)
    assert not folder.exists()


def test_weights_and_biases_has_to_be_there(tmp_path: Path):
    try:
        import wandb  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="not installed"):
            Tracker(tmp_path, short(), ALONE, wandb=True)


class _Client:
    """Weights & Biases as far as it is called: runs by their id, and what was logged to each."""

    Error = RuntimeError
    Image = staticmethod(np.asarray)

    def __init__(self) -> None:
        self.logged: dict[str, list[dict[str, Any]]] = {}

    def init(self, **options: Any) -> _Client._Run:
        return _Client._Run(options["id"], self.logged.setdefault(options["id"], []))

    class _Run:
        def __init__(self, identity: str, logged: list[dict[str, float]]) -> None:
            self.id, self._logged = identity, logged

        def define_metric(self, *_: object, **__: object) -> None: ...

        def log(self, values: dict[str, float]) -> None:
            self._logged.append(values)

        def finish(self, **_: object) -> None: ...


def test_points_beyond_the_checkpoint_are_in_no_run_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, recipe = _Client(), short(iterations=10)
    monkeypatch.setitem(sys.modules, "wandb", client)

    def track(first: int, last: int) -> list[tuple[float, float]]:
        """Log some steps; what stands in the run that they went to."""
        with Tracker(tmp_path, recipe, ALONE, clock=Clock(), wandb=True) as tracker:
            tracker.stage_begins(0, recipe.stages[0], first)
            for step in range(first, last):
                tracker.step_done(0, loaded(step), report(float(step)), 0.01)
        points = client.logged[(tmp_path / "wandb-id").read_text()]
        return [
            (each["0-inpaint/step"], each["0-inpaint/loss/task"]) for each in points if "0-inpaint/loss/task" in each
        ]

    assert track(0, 6) == [(2, 0.5), (4, 2.5), (6, 4.5)]
    assert track(6, 10) == [(2, 0.5), (4, 2.5), (6, 4.5), (8, 6.5), (10, 8.5)]  # the same run goes on
    assert len(client.logged) == 1
    assert track(4, 6) == [(2, 0.5), (4, 2.5), (6, 4.5)]  # another, with what was kept
    assert len(client.logged) == 2
    last = client.logged[(tmp_path / "wandb-id").read_text()]
    assert [each["0-inpaint/step"] for each in last if "0-inpaint/routing/inpaint" in each] == [2, 4, 6]


def test_trackers_are_shown_the_grids_and_what_the_routers_chose(tmp_path: Path) -> None:
    recipe, found = short(iterations=2), validation(0, 1, samples=(held_out_sample(0), held_out_sample(1)))
    grids = HeldOutGrids(tmp_path, recipe, ALONE)
    with Tracker(tmp_path, recipe, ALONE, clock=Clock()) as tracker:
        tracker.stage_begins(0, recipe.stages[0], 0)
        for step in range(2):
            tracker.step_done(0, loaded(step), report(1.0), 0.1)
            for watcher in (grids, tracker) if step == 0 else ():
                watcher.validated(found)
        path = grid_path(tmp_path, recipe, 0)
        path.write_bytes(png(Image.new("RGB", (8, 6), (1, 2, 3))))
        tracker.stage_ends(0, build(preset("world-tiny"), seed=0))
    events = EventAccumulator(str(tmp_path / "tensorboard" / "0-inpaint")).Reload()
    for tag, step, wanted in (
        ("samples/held_out", 1, held_out_grid_path(tmp_path, recipe, 0, 1)),
        ("samples/training", 2, path),
    ):
        (event,) = events.Images(tag)
        assert event.step == step
        shown = np.array(Image.open(io.BytesIO(event.encoded_image_string)))
        np.testing.assert_array_equal(shown, np.array(Image.open(wanted)))
    (chosen,) = events.Images("routing/inpaint")
    # of two samples, one chose expert 0 in the first of three blocks; see ``report``
    pixels = np.array(Image.open(io.BytesIO(chosen.encoded_image_string)))
    assert pixels.shape == (2 * 30, 84 + 3 * 30 + 44, 3)
    np.testing.assert_array_equal(pixels[15, [99, 129]], [[160, 180, 232], [255, 255, 255]])


def test_later_stages_leave_tensorboard_when_a_run_goes_back_before_them(tmp_path: Path) -> None:
    follow(tmp_path, 0, 10)
    follow(tmp_path, 0, 4, number=1)
    assert (tmp_path / "tensorboard" / "1-grounding").is_dir()
    follow(tmp_path, 4, 6)
    assert sorted(path.name for path in (tmp_path / "tensorboard").iterdir()) == ["0-inpaint"]


def validate(folder: Path, first: int, *steps: int, **changes: Any) -> None:
    """Validate after these steps of a stage that goes on after ``first``."""
    recipe = short()
    with Tracker(folder, recipe, ALONE, clock=Clock()) as tracker:
        tracker.stage_begins(0, recipe.stages[0], first)
        for step in steps:
            tracker.validated(validation(0, step, **changes))


def test_a_validation_is_logged_once_and_forgotten_with_the_steps_after_it(tmp_path: Path):
    validate(tmp_path, 0, 0, 2, 4)
    validate(tmp_path, 2, 2, 4)  # again from the checkpoint of step 2, whose validation was logged
    found = read(tmp_path / HELD_OUT, HeldOutMetrics)
    assert [(each.step, each.loss) for each in found] == [(0, 2.5), (2, 2.5), (4, 2.5)]
    assert [step for step, _ in scalars(tmp_path, "held_out_by_task/inpaint")] == [0, 2, 4]
    validate(tmp_path, 4, 4, protocol="p2")  # of other rows: it is another
    assert [each.protocol for each in read(tmp_path / HELD_OUT, HeldOutMetrics)] == ["p1", "p1", "p1", "p2"]


def test_the_time_of_a_validation_is_not_that_of_the_steps(tmp_path: Path):
    recipe = short()
    with Tracker(tmp_path, recipe, ALONE, clock=Clock()) as tracker:
        tracker.stage_begins(0, recipe.stages[0], 0)
        tracker.validated(validation(0, 0, seconds=0.5))
        for step in range(2):
            tracker.step_done(0, loaded(step), report(1.0), 0.1)
    assert [each.seconds for each in read(tmp_path / METRICS, StepMetrics)] == [0.5]  # of a second on this clock
