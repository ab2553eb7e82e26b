"""Laws of training: interruptions change nothing, experts stay what they were, trouble stops with a reason."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from safetensors.torch import load_file

from cologen.model.text import Prompts
from cologen.model.veteran import Usage
from cologen.trainer.data.loading import StageSamples
from cologen.trainer.loop import learner
from cologen.trainer.loop.checkpoint import CHECKPOINTS, latest_checkpoint
from cologen.trainer.loop.encoding import Encoder
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.recipes.curriculum import Recipe
from tests.trainer.small_runs import adapter_bytes, recipe, train
from tests.trainer.two_runs import Case, process

pytestmark = pytest.mark.slow


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


def supervised(micro_batch: int, *overrides: str) -> Recipe:
    """Stage 1 with the gate at work from the first step: the routers choose both experts about equally often.

    AdamW's ε stands above rounding: below it, gradients that are nearly zero are divided by their own size, and the
    order of a sum decides the step.
    """
    gate = {"iterations": 4, "warmup_steps": 0, "newcomer_bias": 0.0, "rho": 0.5, "alpha": 0.5}
    named = [f"stages.{number}.global_batch=8" for number in range(5)]
    named += [f"stages.1.{name}={value}" for name, value in gate.items()]
    return recipe(*named, "optimizer.eps=1e-4", f"micro_batch={micro_batch}", *overrides)


MIXED = (  # all tasks in a batch, inpainting's holes among them, in steps of three sizes, each token routed for itself
    "routing=token",
    "resolution.max_aspect=2.0",
    "stages.1.task=mixed",
    "stages.1.task_shares={inpaint = 1.0, grounding = 1.0, control = 1.0}",
    "stages.1.manifests={inpaint-cocostuff = 1.0, grounding-refcoco = 1.0, control-cocostuff = 1.0}",
)


REPLAYED = (  # inpainting brought back, with a gate of its own
    "stages.1.task_shares={inpaint = 1.0, grounding = 1.0}",
    "stages.1.manifests={inpaint-cocostuff = 1.0, grounding-refcoco = 1.0}",
    "stages.1.gate_per_task=true",
    "stages.1.rho=0.5",
    "stages.1.router_rate=3.0",
)


@pytest.fixture(scope="module")
def first_stage(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose stage 0 is done, for stages 1 to stand on."""
    run = tmp_path_factory.mktemp("first") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLOGEN_CACHE", str(built.parent / "cache"))
        train(run, built, supervised(8))
    return run


def begun(first_stage: Path, run: Path) -> Path:
    shutil.copytree(first_stage, run)
    shutil.rmtree(run / CHECKPOINTS)
    return run


def assert_same_steps(found: Sequence[StepReport], expected: Sequence[StepReport]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.usage == other.usage
        assert one.veteran == other.veteran
        assert (one.loss, one.gradient_norm) == pytest.approx((other.loss, other.gradient_norm), abs=1e-6)


def assert_same_experts(found: Path, expected: Path) -> None:
    for name in ("expert-1.safetensors", "router-1.safetensors"):
        one, other = (load_file(run / "adapter" / name) for run in (found, expected))
        for key, weight in other.items():
            torch.testing.assert_close(one[key], weight, rtol=0, atol=1e-6)


def sides_differ(reports: Sequence[StepReport], rho: float) -> bool:
    """Whether in some step the last micro batch was on another side of ρ than the global batch."""
    pairs = [(Usage.of(each.routing).share - rho, each.usage - rho) for each in reports]  # type: ignore[arg-type, operator]
    return any(math.copysign(1, micro) != math.copysign(1, whole) for micro, whole in pairs)


@pytest.mark.parametrize("more", [(), MIXED, REPLAYED], ids=["grounding", "mixed", "replayed"])
def test_micro_batches_do_not_change_a_supervised_stage(
    data: Path, first_stage: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    if more == MIXED:
        first_stage = tmp_path / "first"
        train(first_stage, data, supervised(8, "routing=token", "resolution.max_aspect=2.0"))
    runs = {size: begun(first_stage, tmp_path / str(size)) for size in ((8, 1) if more == MIXED else (8, 4, 2))}
    reports = {size: train(run, data, supervised(size, *more), [1]).reports for size, run in runs.items()}
    if more == REPLAYED:
        assert all(report.routing.task_experts.unique().tolist() == [0, 1] for report in reports[8])  # type: ignore[union-attr]
        assert all(report.usage is not None and report.veteran > 0 for report in reports[8])
    else:
        assert sides_differ(reports[min(runs)], 0.5)
    for size in runs:
        assert_same_steps(reports[size], reports[8])
        assert_same_experts(runs[size], runs[8])


def test_processes_do_not_change_a_supervised_stage_nor_does_going_on_in_more_of_them(
    data: Path, first_stage: Path, tmp_path: Path
) -> None:
    """Two processes, from the beginning and after two steps of one; and their own run, interrupted, to the bit.

    With a gate for each task, of which a process may have no sample.
    """
    alone = begun(first_stage, tmp_path / "alone")
    expected = train(alone, data, supervised(2, *REPLAYED), [1]).reports
    for name in ("two", "halves", "grown"):
        begun(first_stage, tmp_path / name)
    train(tmp_path / "grown", data, supervised(2, *REPLAYED), [1], stop_after=2)
    cases: list[Case] = [
        (tmp_path / "two", 2, None),
        (tmp_path / "halves", 2, 2),
        (tmp_path / "halves", 2, None),
        (tmp_path / "grown", 2, None),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        patch.setenv("OMP_NUM_THREADS", "1")
        given = (2, tmp_path, data, [(run, supervised(size, *REPLAYED), stop) for run, size, stop in cases])
        torch.multiprocessing.spawn(process, args=given, nprocs=2)
    found = [torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in range(len(cases))]
    steps = [(each.loss, each.veteran, each.usage, each.gradient_norm) for each in expected]
    for rows, wanted in ((found[0], steps), (found[1] + found[2], steps), (found[3], steps[2:])):
        torch.testing.assert_close(torch.tensor(rows), torch.tensor(wanted), rtol=0, atol=1e-6)
    for name in ("two", "grown"):
        assert_same_experts(tmp_path / name, alone)
    assert adapter_bytes(tmp_path / "two") == adapter_bytes(tmp_path / "halves")


def test_a_supervised_stage_that_was_interrupted_ends_in_the_same_bits(
    data: Path, first_stage: Path, tmp_path: Path
) -> None:
    """The moving average's warm-up goes on where it was, too."""
    whole, halves = (begun(first_stage, tmp_path / name) for name in ("whole", "halves"))
    train(whole, data, supervised(2), [1])
    train(halves, data, supervised(2), [1], stop_after=3)
    train(halves, data, supervised(2), [1])
    assert adapter_bytes(whole) == adapter_bytes(halves)


def test_the_empty_prompt_is_trained_before_a_source(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    encode = Encoder.prompts

    def listening(self: Encoder, prompts: Sequence[str]) -> Prompts:
        heard.extend(prompts)
        return encode(self, prompts)

    monkeypatch.setattr(Encoder, "prompts", listening)
    train(tmp_path / "half", data, recipe("caption_dropout=0.5"))
    assert 4 <= heard.count("") <= 20  # of 24 samples
    heard.clear()
    train(tmp_path / "none", data, recipe("caption_dropout=0.0"))
    assert len(heard) == 24
    assert "" not in heard


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
    monkeypatch.undo()
    monkeypatch.setenv("COLOGEN_CACHE", str(data.parent / "cache"))
    resumed = train(tmp_path, data, recipe("max_nonfinite=1"))  # it goes on, and the total is still known
    assert resumed.stages == [(0, 2), (0, -1)]
    last = latest_checkpoint(tmp_path)
    assert last is not None
    assert (last.progress.step, last.progress.num_skipped) == (6, 2)


def test_steps_that_are_not_finite_now_and_then_do_not_stop_a_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = iter([math.nan, 1.0, math.nan, 1.0, math.inf, 1.0])
    monkeypatch.setattr(learner, "clip", lambda parameters, largest: next(norms))
    watching = train(tmp_path, data, recipe("max_nonfinite=1"))
    assert [report.skipped for report in watching.reports] == [True, False] * 3
    last = latest_checkpoint(tmp_path)
    assert last is not None
    assert last.progress.num_skipped == 3


def test_a_model_that_diverges_stops_with_advice_that_helps(data: Path, tmp_path: Path) -> None:
    """Its routers give no numbers either."""
    with pytest.raises(ValueError, match=r"steps had a loss or gradient that was not finite.*lower the learning rate"):
        train(tmp_path, data, recipe("max_nonfinite=1", "stages.inpaint.learning_rate=1e30"))
    last = latest_checkpoint(tmp_path)
    assert last is not None
    assert last.progress.stopped_nonfinite


def test_a_stage_without_one_sound_step_is_not_done(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "clip", lambda parameters, largest: float("nan"))
    for _ in range(2):
        with pytest.raises(ValueError, match="stage inpaint learned nothing"):
            train(tmp_path, data, recipe("max_nonfinite=9"))


def test_samples_that_could_be_loaded_again_do_not_stop_a_run_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, steps = recipe("micro_batch=4"), StageSamples.steps
    with monkeypatch.context() as patched:
        patched.setattr(StageSamples, "steps", lambda *given: (replace(each, num_failed=4) for each in steps(*given)))
        with pytest.raises(ValueError, match=r"loading failed 12 times in 12 samples.*raise max_failed_share"):
            train(tmp_path, data, of)
    assert train(tmp_path, data, of).stages == [(0, 3), (0, -1)]


def test_a_full_disk_leaves_the_checkpoints_that_are_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path, data, recipe(), stop_after=2)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cologen.trainer.loop.saving.save_file", full)
    with pytest.raises(ValueError, match=r"no checkpoint of step 4 could be written: .*No space left.* --resume"):
        train(tmp_path, data, recipe())
    assert [path.name for path in (tmp_path / CHECKPOINTS).iterdir()] == ["0-inpaint-00000002"]
    monkeypatch.undo()
    monkeypatch.setenv("COLOGEN_CACHE", str(data.parent / "cache"))
    assert train(tmp_path, data, recipe()).stages == [(0, 2), (0, -1)]
