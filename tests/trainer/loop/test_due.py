"""A checkpoint is due by steps or by minutes, whichever comes first, and the minutes change nothing that is trained."""

from pathlib import Path

import pytest

from cologen.trainer.loop.checkpoint import CHECKPOINTS
from cologen.trainer.loop.due import CheckpointDue
from tests.trainer.small_runs import ALONE, adapter_bytes, recipe, train


class Minutes:
    """A minute passes at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 60
        return self.now


def due_steps(last: int, *overrides: str) -> list[int]:
    due, found = CheckpointDue(recipe(*overrides), ALONE, Minutes()), list[int]()
    for step in range(1, last + 1):
        if due.at(step):
            found.append(step)
            due.written()
    return found


def test_steps_alone_decide_where_no_minutes_are_given():
    assert due_steps(9, "checkpoint_every=4") == [4, 8]


def test_minutes_count_from_the_checkpoint_before_and_steps_still_count():
    assert due_steps(9, "checkpoint_every=100", "checkpoint_minutes=2") == [2, 4, 6, 8]
    assert due_steps(9, "checkpoint_every=5", "checkpoint_minutes=3") == [3, 5, 8]


def test_only_the_first_process_looks_at_its_clock():
    other = CheckpointDue(recipe("checkpoint_minutes=1"), type(ALONE)(1, 1, ALONE.device), Minutes())
    assert not other.at(1)


def test_less_than_no_minutes_are_refused():
    with pytest.raises(ValueError, match="checkpoint_minutes: Input should be greater than or equal to 0, got -1"):
        recipe("checkpoint_minutes=-1")


@pytest.mark.slow
def test_checkpoints_by_minutes_are_pruned_like_others_and_leave_the_bits_alone(data: Path, tmp_path: Path):
    ways = {"steps": "checkpoint_every=1", "minutes": "checkpoint_minutes=1"}
    for name, way in ways.items():
        train(tmp_path / name, data, recipe("checkpoint_every=100", "keep_last=2", way), clock=Minutes())
    assert adapter_bytes(tmp_path / "steps") == adapter_bytes(tmp_path / "minutes")
    by_steps, by_minutes = ({path.name for path in (tmp_path / name / CHECKPOINTS).iterdir()} for name in ways)
    assert by_steps == by_minutes and len(by_minutes) == 2
