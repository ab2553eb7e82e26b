"""Laws of training: interruptions change nothing, experts stay what they were, trouble stops with a reason."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cologen.trainer import learner
from cologen.trainer.checkpoint import CHECKPOINTS
from cologen.trainer.loading import StageSamples
from tests.trainer.small_runs import adapter_bytes, recipe, train


def test_a_stage_that_was_interrupted_ends_in_the_same_bits(data: Path, tmp_path: Path) -> None:
    of = recipe()
    train(tmp_path / "whole", data, of)
    stopped = train(tmp_path / "halves", data, of, stop_after=3)
    assert len(stopped.reports) == 3
    assert not (tmp_path / "halves" / "adapter").exists()
    resumed = train(tmp_path / "halves", data, of)
    assert resumed.stages == [(0, 3), (0, -1)]
    assert adapter_bytes(tmp_path / "whole") == adapter_bytes(tmp_path / "halves")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_optimizer_in_eight_bits_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    of = recipe("optimizer.eight_bit=true", "rank=64")  # smaller weights are kept in 32 bits
    train(tmp_path / "whole", data, of)
    train(tmp_path / "halves", data, of, stop_after=3)
    train(tmp_path / "halves", data, of)
    whole, halves = (load_file(tmp_path / run / "adapter" / "expert-0.safetensors") for run in ("whole", "halves"))
    for name, weight in whole.items():  # its steps on a CPU are not the same twice, by some 1e-8, which 8 bits enlarge
        torch.testing.assert_close(halves[name], weight, rtol=0, atol=1e-3)


def test_later_stages_leave_earlier_experts_as_they_were(data: Path, tmp_path: Path) -> None:
    of = recipe()
    train(tmp_path, data, of, [0])
    before = adapter_bytes(tmp_path)
    train(tmp_path, data, of, [1, 2])
    after = adapter_bytes(tmp_path)
    assert {name: after[name] for name in before} == before
    assert sorted(after) == [f"{kind}-{n}.safetensors" for kind in ("expert", "router") for n in range(3)]


def test_all_five_stages_train_and_tell_how_often_the_newest_expert_is_chosen(data: Path, tmp_path: Path) -> None:
    watching = train(tmp_path, data, recipe(*(f"stages.{n}.iterations=2" for n in range(5))), range(5))
    assert [number for number, step in watching.stages if step == -1] == [0, 1, 2, 3, 4]
    assert all(torch.isfinite(torch.tensor(report.loss)) for report in watching.reports)
    assert [report.usage for report in watching.reports[:2]] == [1.0, 1.0]  # there is but one expert
    tasks = [set(report.per_task) for report in watching.reports[::2]]
    assert tasks == [{"inpaint"}, {"grounding"}, {"control"}, {"customized"}, {"editing"}]


def test_only_the_last_checkpoints_and_those_of_finished_stages_stay(data: Path, tmp_path: Path) -> None:
    of = recipe("keep_last=1", *(f"stages.{n}.iterations={5}" for n in (0, 1)))
    train(tmp_path, data, of, [0, 1])
    kept = sorted(path.name for path in (tmp_path / CHECKPOINTS).iterdir())
    assert kept == ["0-inpaint-00000005", "1-grounding-00000005"]


def test_another_recipe_does_not_go_on_with_a_checkpoint(data: Path, tmp_path: Path) -> None:
    train(tmp_path, data, recipe(), stop_after=2)
    with pytest.raises(ValueError, match=r"(?s)another recipe or other data:.*clip: 1.0 became 0.5"):
        train(tmp_path, data, recipe("clip=0.5"))


def test_what_decides_no_number_may_change_on_the_way(data: Path, tmp_path: Path) -> None:
    train(tmp_path / "whole", data, recipe(), [0, 1])
    train(tmp_path / "changed", data, recipe(), [0, 1], stop_after=8)
    later = [f"stages.{number}.rho=0.5" for number in (2, 3)]
    free = [
        "log_every=1",
        "checkpoint_every=5",
        "keep_last=1",
        "num_samples=1",
        "max_nonfinite=3",
        "stages.editing=none",
    ]
    assert train(tmp_path / "changed", data, recipe(*later, *free), [1]).stages == [(1, 2), (1, -1)]
    assert adapter_bytes(tmp_path / "whole") == adapter_bytes(tmp_path / "changed")


def test_what_the_message_of_a_run_that_stopped_advises_is_taken(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(learner, "clip", lambda parameters, largest: float("nan"))
        with pytest.raises(ValueError, match="lower the learning rate or the clip, and --resume"):
            train(tmp_path, data, recipe("max_nonfinite=1"))
    mended = recipe("max_nonfinite=9", "clip=0.5", "stages.inpaint.learning_rate=1e-4")
    assert train(tmp_path, data, mended).stages == [(0, 2), (0, -1)]


def test_too_many_steps_that_are_not_finite_stop_the_run_and_are_saved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "clip", lambda parameters, largest: float("nan"))
    with pytest.raises(ValueError, match="2 steps had a loss or gradient that was not finite"):
        train(tmp_path, data, recipe("max_nonfinite=1"))
    assert [path.name for path in (tmp_path / CHECKPOINTS).iterdir()] == ["0-inpaint-00000002"]


def test_samples_that_could_be_loaded_again_do_not_stop_a_run_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, steps = recipe("micro_batch=4"), StageSamples.steps
    with monkeypatch.context() as patched:
        patched.setattr(StageSamples, "steps", lambda *given: (replace(each, num_failed=4) for each in steps(*given)))
        with pytest.raises(ValueError, match=r"12 of 12 samples could not be loaded.*raise max_failed_share.*--resume"):
            train(tmp_path, data, of)
    assert train(tmp_path, data, of).stages == [(0, 3), (0, -1)]


def test_a_full_disk_leaves_the_checkpoints_that_are_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path, data, recipe(), stop_after=2)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cologen.trainer.checkpoint.save_file", full)
    with pytest.raises(ValueError, match=r"no checkpoint of step 4 could be written: .*No space left.* --resume"):
        train(tmp_path, data, recipe())
    assert [path.name for path in (tmp_path / CHECKPOINTS).iterdir()] == ["0-inpaint-00000002"]
    monkeypatch.undo()
    monkeypatch.setenv("COLOGEN_CACHE", str(data.parent / "cache"))
    assert train(tmp_path, data, recipe()).stages == [(0, 2), (0, -1)]
