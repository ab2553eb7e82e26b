"""TensorBoard shows what was written last for each step."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cologen.trainer.sinks import Sink, TensorBoard


def test_what_comes_after_the_first_step_is_written_anew(tmp_path: Path):
    for first, value in ((0, 1.0), (2, 2.0)):
        sink = TensorBoard(tmp_path, first)
        assert isinstance(sink, Sink)
        for step in range(first + 1, 5):
            sink.write({"loss/task": value}, step)
        sink.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(each.step, each.value) for each in events.Scalars("loss/task")] == [(1, 1), (2, 1), (3, 2), (4, 2)]
