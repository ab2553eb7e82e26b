"""What was written last for each step is what is shown, and a run that goes on is the same run."""

import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
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


def test_pictures_are_read_back_pixel_by_pixel(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    sink = TensorBoard(tmp_path, 0)
    sink.show({"samples/held_out": pixels}, 3)
    sink.close()
    (event,) = EventAccumulator(str(tmp_path)).Reload().Images("samples/held_out")
    assert event.step == 3
    np.testing.assert_array_equal(np.array(Image.open(BytesIO(event.encoded_image_string))), pixels)


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
        sink.show({"samples/held_out": np.zeros((4, 4, 3), np.uint8)}, 1)
        found.add(wandb.run.id)
        run.finish(failed=False)
    assert found == {(tmp_path / "wandb-id").read_text()}
