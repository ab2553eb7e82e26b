"""What was written last for each step is what is shown, and a run that goes on is the same run."""

import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cologen.trainer.recipes.world import world
from cologen.trainer.watchers.sinks import Sink, TensorBoard, WeightsAndBiases


def test_what_comes_after_the_first_step_is_written_anew(tmp_path: Path):
    for first, value in ((0, 1.0), (2, 2.0)):
        sink = TensorBoard(tmp_path, first)
        assert isinstance(sink, Sink)
        for step in range(first + 1, 5):
            sink.write({"loss/task": value}, step)
        sink.close()
        time.sleep(1.1)  # files of one second are read in the order of their counters as text: 10 comes before 9
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(each.step, each.value) for each in events.Scalars("loss/task")] == [(1, 1), (2, 1), (3, 2), (4, 2)]


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_goes_on_is_the_same_run_at_weights_and_biases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    found = set[str]()
    for _ in range(2):
        run = WeightsAndBiases(tmp_path, world())
        sink = run.stage("inpaint")
        assert isinstance(sink, Sink)
        sink.write({"loss/task": 0.5}, 1)
        found.add(wandb.run.id)
        run.finish(failed=False)
    assert found == {(tmp_path / "wandb-id").read_text()}
