"""Checkpoints are whole or not there, and damage falls back to the one before."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from cologen.trainer.loop.checkpoint import CHECKPOINTS, STATE, TRAINING, latest_checkpoint
from tests.trainer.small_runs import adapter_bytes, recipe, train


@pytest.fixture
def stopped(data: Path, tmp_path: Path) -> Path:
    """A run that was stopped after four steps, with checkpoints at two and four."""
    train(tmp_path, data, recipe(), stop_after=4)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (TRAINING, lambda path: path.write_bytes(path.read_bytes()[:-1])),
        (TRAINING, Path.unlink),
        (STATE, lambda path: path.write_text("{")),
        (STATE, Path.unlink),
        ("adapter/expert-0.safetensors", lambda path: path.write_bytes(b"\0" + path.read_bytes()[1:])),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(
    stopped: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, damage
) -> None:
    newest = stopped / CHECKPOINTS / "0-inpaint-00000004"
    damage(newest / file)
    with caplog.at_level(logging.WARNING):
        found = latest_checkpoint(stopped)
    assert found is not None
    assert found.progress.step == 2
    assert f"{newest} is damaged" in caplog.text


@pytest.mark.slow
def test_going_on_from_the_one_before_ends_in_the_same_bits(stopped: Path, data: Path, tmp_path: Path) -> None:
    (stopped / CHECKPOINTS / "0-inpaint-00000004" / TRAINING).unlink()
    assert train(stopped, data, recipe()).stages == [(0, 2), (0, -1)]
    train(tmp_path / "whole", data, recipe())
    assert adapter_bytes(stopped) == adapter_bytes(tmp_path / "whole")


def test_where_all_are_damaged_nothing_is_trained_over_them(stopped: Path) -> None:
    for folder in (stopped / CHECKPOINTS).iterdir():
        (folder / STATE).unlink()
    with pytest.raises(ValueError, match=r"all 2 checkpoints in .* are damaged: start over with --fresh"):
        latest_checkpoint(stopped)


@pytest.mark.slow
def test_what_was_half_written_is_no_checkpoint(stopped: Path) -> None:
    (stopped / CHECKPOINTS / ".0-inpaint-00000006.abcd").mkdir()
    found = latest_checkpoint(stopped)
    assert found is not None
    assert found.progress.name == "0-inpaint-00000004"
    assert latest_checkpoint(stopped, stage=1) is None


def test_a_flipped_bit_of_its_state_is_never_taken_as_truth(stopped: Path) -> None:
    path = stopped / CHECKPOINTS / "0-inpaint-00000004" / STATE
    whole, expected = path.read_bytes(), latest_checkpoint(stopped)
    assert expected is not None
    steps = Counter[int]()
    for place in range(0, len(whole), len(whole) // 30):  # all of them are tried in test_sealed_json
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        found = latest_checkpoint(stopped)
        assert found is not None
        assert found.progress.step == 2 or found == expected
        steps[found.progress.step] += 1
    assert steps[2] > 0.8 * steps.total()


def test_a_checkpoint_under_the_name_of_another_is_passed_over(stopped: Path) -> None:
    newest = stopped / CHECKPOINTS / "0-inpaint-00000004"
    newest.rename(newest.with_name("0-inpaint-00000006"))
    found = latest_checkpoint(stopped)
    assert found is not None
    assert found.progress.step == 2
