"""Laws of validation: it changes nothing, and its numbers are of the weights, the rows and the seed alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing

from cologen.datagen.randomness import generator
from cologen.model.adapters import load_adapter
from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.model.tokens import grid_ids, pack, text_ids
from cologen.trainer.data.batch import signed
from cologen.trainer.data.held_out import open_held_out
from cologen.trainer.data.loading import open_stage
from cologen.trainer.loop.encoding import Encoder
from cologen.trainer.loop.measures import GROUP
from cologen.trainer.loop.run import Run, learner_of
from cologen.trainer.loop.validation import Validation
from cologen.trainer.loop.validator import Validator, averaged
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.held_out import HeldOut
from cologen.trainer.recipes.world import WORLD_HELD_OUT
from tests.trainer import two_runs
from tests.trainer.loop.made_up_measures import installed
from tests.trainer.small_runs import ALONE, Watching, adapter_bytes, recipe, train

pytestmark = pytest.mark.slow


def validated(*overrides: str, **settings: object) -> Recipe:
    """The recipe of six steps, validated every two."""
    held_out = HeldOut(manifests=dict(WORLD_HELD_OUT), every=2, num_samples=3, measures=())
    return recipe(*overrides).replace(held_out=held_out.replace(**settings))


def losses_by_step(found: list[Validation]) -> dict[int, np.ndarray]:
    return {each.step: each.losses for each in found}


def assert_same(one: dict[int, np.ndarray], other: dict[int, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for step, losses in one.items():
        assert np.array_equal(losses, other[step]), step


def test_training_has_the_same_bits_with_validation_and_without(data: Path, tmp_path: Path) -> None:
    without = train(tmp_path / "without", data, recipe(), [0, 1])
    of = validated(grid_every=4)
    found = train(tmp_path / "validated", data, of, [0, 1])
    assert [each.loss for each in found.reports] == [each.loss for each in without.reports]
    assert [each.gradient_norm for each in found.reports] == [each.gradient_norm for each in without.reports]
    assert adapter_bytes(tmp_path / "validated") == adapter_bytes(tmp_path / "without")
    assert [(each.stage, each.step, len(each.samples)) for each in found.validations] == [
        *((0, 0, 0), (0, 2, 0), (0, 4, 2), (0, 6, 2)),  # a grid has no more samples than there are rows
        *((1, 0, 0), (1, 2, 0), (1, 4, 3), (1, 6, 3)),
    ]
    assert all(each.choices.sum(axis=1).tolist() == [1.0] * len(each.tasks) for each in found.validations)
    assert {each.choices.shape[1] for each in found.validations if each.stage == 0} == {1}
    last = found.validations[-1]
    assert last.choices.shape == (3, 2)
    assert last.tasks == ("grounding", "inpaint", "inpaint")
    assert last.own_tasks == ("grounding",)
    assert last.loss == pytest.approx(last.losses[0].mean())
    assert last.overall == pytest.approx((last.losses[0].mean() + last.losses[1:].mean()) / 2)


def test_a_run_that_was_interrupted_validates_to_the_same_bits(data: Path, tmp_path: Path) -> None:
    """After step 2, asked to stop, it saves at once: what was due then comes when it goes on."""
    whole = train(tmp_path / "whole", data, validated())
    begun = train(tmp_path / "halves", data, validated(), stop_after=2)
    assert [each.step for each in begun.validations] == [0]
    resumed = train(tmp_path / "halves", data, validated())
    assert [each.step for each in resumed.validations] == [2, 4, 6]
    assert_same(losses_by_step(begun.validations + resumed.validations), losses_by_step(whole.validations))
    assert adapter_bytes(tmp_path / "whole") == adapter_bytes(tmp_path / "halves")


def test_a_run_begun_before_there_were_held_out_rows_goes_on_with_them(data: Path, tmp_path: Path) -> None:
    train(tmp_path, data, recipe(), stop_after=3)
    assert [each.step for each in train(tmp_path, data, validated()).validations] == [4, 6]


def validator(data: Path, folder: Path, of: Recipe, number: int = 0) -> Validator:
    """At the beginning of a stage of a fresh model."""
    bundle = build(preset(of.preset), seed=of.seed)
    bundle.transformer.rebuild(
        0,
        rank=of.rank,
        expert_scale=of.expert_scale,
        routing=of.routing,
        source_timestep=of.source_timestep,
        dtype=torch.float32,
    )
    watching = Watching(two_runs.NEVER)
    run = Run(folder=folder, recipe=of, bundle=bundle, processes=ALONE, strategy="ddp", watcher=watching)
    rows = open_held_out(of, number, data, open_stage(of, number, data))
    assert rows is not None
    return Validator(run, number, learner_of(run, number, None), Encoder.of(bundle, of), rows)


def test_a_loss_is_the_mean_squared_error_of_the_velocity_at_its_time(data: Path, tmp_path: Path) -> None:
    """Worked out here with the stock forward pass: the new expert is not chosen yet, as there is no other."""
    of = validated(times=(0.25, 1.0))
    made = validator(data, tmp_path, of)
    found = made.validate(0)
    run, rows = made._run, made._rows  # pyright: ignore[reportPrivateUsage]
    model, bundle = run.bundle.transformer.eval(), run.bundle
    for number, batch in enumerate(rows.batches(range(2), ALONE.device)):
        assert batch.source is not None
        clean, source = (bundle.codec.encode(signed(each)) for each in (batch.target, batch.source))
        words, ids = bundle.text.encode(batch.prompts), grid_ids(*clean.shape[2:])
        for place, time in enumerate((0.25, 1.0)):
            key = (of.seed, "held_out", rows.rows[number].sample_id, place)
            noise = torch.from_numpy(generator(*key).standard_normal(tuple(clean.shape[1:]), dtype=np.float32))[None]
            with torch.no_grad():
                answer = model(
                    hidden_states=pack(0.25 * noise + 0.75 * clean if time < 1 else noise, 1),
                    encoder_hidden_states=words.embeds,
                    pooled_projections=words.pooled,
                    timestep=torch.tensor([time]),
                    img_ids=ids,
                    txt_ids=text_ids(words.embeds.shape[1]),
                    source=model.encode_source(_source(pack(source, 1), ids, clean), pooled_projections=words.pooled),
                ).sample
            expected = (answer - pack(noise - clean, 1)).square().mean()
            assert found.losses[number, place] == pytest.approx(expected.item(), rel=1e-4)


def _source(tokens: torch.Tensor, _ids: torch.Tensor, like: torch.Tensor) -> object:
    from cologen.model.source import SourceTokens

    rows, columns = like.shape[2:]
    return SourceTokens(tokens, grid_ids(rows, columns, source=1, target=(rows, columns)))


def test_neither_micro_batch_nor_compute_order_changes_a_bit(data: Path, tmp_path: Path) -> None:
    found = [validator(data, tmp_path, validated(f"micro_batch={size}")).validate(0) for size in (1, 4)]
    assert np.array_equal(found[0].losses, found[1].losses)
    assert found[0].protocol == found[1].protocol
    own = validator(data, tmp_path, validated(manifests={"inpaint": WORLD_HELD_OUT["inpaint"]}, rows_per_task=1))
    assert np.array_equal(own.validate(0).losses, found[0].losses[:1])  # other rows beside it change nothing
    assert own.validate(0).protocol != found[0].protocol


def test_seed_and_times_are_of_the_protocol(data: Path, tmp_path: Path) -> None:
    base = validator(data, tmp_path, validated()).validate(0)
    seeded = validator(data, tmp_path, validated("seed=1")).validate(0)
    timed = validator(data, tmp_path, validated(times=(0.1, 0.5))).validate(0)
    assert len({each.protocol for each in (base, seeded, timed)}) == 3
    assert not np.array_equal(base.losses, seeded.losses)
    assert np.allclose(timed.losses[:, 0], base.losses[:, 0], rtol=1e-5)  # the first time is one of both


def test_it_is_the_moving_average_that_is_validated(data: Path, tmp_path: Path) -> None:
    made = validator(data, tmp_path, validated())
    learner = made._learner  # pyright: ignore[reportPrivateUsage]
    before = {name: weight.detach().clone() for name, weight in learner.trained.items()}
    at_first = made.validate(0).losses
    for average in learner.average.values():
        average.add_(0.1)
    moved = made.validate(0).losses
    assert not np.allclose(moved, at_first)
    for name, weight in learner.trained.items():
        assert torch.equal(weight, before[name])
    with averaged(learner):
        assert all(torch.equal(weight, learner.average[name]) for name, weight in learner.trained.items())
    with torch.no_grad():
        for weight in learner.trained.values():
            weight.add_(0.3)
    assert np.array_equal(made.validate(0).losses, moved)  # whatever the weights are that train


def test_the_last_validation_is_of_what_a_stage_leaves(data: Path, tmp_path: Path) -> None:
    """A fresh process that reads the adapter gives the same numbers."""
    last = train(tmp_path, data, validated()).validations[-1]
    again, fresh = (validator(data, tmp_path, validated()) for _ in range(2))
    model = fresh._run.bundle.transformer  # pyright: ignore[reportPrivateUsage]
    load_adapter(model, tmp_path / "adapter", dtype=torch.float32)
    weights = dict(model.named_parameters())
    for name, average in again._learner.average.items():  # pyright: ignore[reportPrivateUsage]
        average.copy_(weights[name].detach())
    assert np.array_equal(again.validate(6).losses, last.losses)


def test_the_newcomer_s_bias_is_that_of_the_step(data: Path, tmp_path: Path) -> None:
    train(tmp_path, data, validated())
    made = validator(data, tmp_path, validated(), 1)
    model = made._run.bundle.transformer  # pyright: ignore[reportPrivateUsage]
    model.newcomer_bias = -3.0
    assert np.array_equal(made.validate(2).losses, made.validate(6).losses)  # both after the warm-up
    assert model.newcomer_bias == -3.0
    assert model.training


def test_two_processes_validate_to_the_same_bits_whole_or_sharded(data: Path, tmp_path: Path) -> None:
    """Three rows are shared by two processes, one of which asks once more than it has to."""
    shorter = [f"stages.{number}.{field}" for number in range(5) for field in ("warmup_steps=1", "iterations=2")]
    of = validated("micro_batch=2", "gradient_checkpointing=true", *shorter, every=1, num_samples=1)
    train(tmp_path / "first", data, recipe("micro_batch=2", *shorter))
    alone = train(two_runs.copied(tmp_path / "first", tmp_path / "alone"), data, of, [1])
    cases = [(two_runs.copied(tmp_path / "first", tmp_path / name), of, name) for name in ("ddp", "fsdp")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        patch.setenv("OMP_NUM_THREADS", "1")
        torch.multiprocessing.spawn(two_runs.validating, args=(2, tmp_path, data, cases), nprocs=2)
    expected = losses_by_step(alone.validations)
    for strategy in ("ddp", "fsdp"):
        for rank in range(2):
            found = torch.load(tmp_path / f"{strategy}-{rank}.pt", weights_only=True)
            assert found.keys() == expected.keys()
            assert torch.equal(found[0], torch.from_numpy(expected[0]))  # before any step they are the very same
            for step, losses in found.items():
                torch.testing.assert_close(losses, torch.from_numpy(expected[step]), rtol=0, atol=1e-5)
    assert torch.equal(*(torch.load(tmp_path / f"fsdp-{rank}.pt", weights_only=True)[2] for rank in range(2)))


def test_samples_carry_their_measures(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(monkeypatch):
        found = train(tmp_path, data, validated(measures=("brightness",))).validations[-1]
    assert GROUP == "cologen.held_out_measures"
    assert [sample.sample_id for sample in found.samples] == ["cocostuff/000000000002#0", "cocostuff/000000000012#0"]
    for sample in found.samples:
        assert sample.measures == {"brightness": pytest.approx(float(sample.pictures["generated"].mean()))}
        assert {name: each.shape for name, each in sample.pictures.items()} == dict.fromkeys(
            ("source", "target", "generated"), (32, 32, 3)
        )
    mean = float(np.mean([sample.measures["brightness"] for sample in found.samples]))
    assert found.measures == {"inpaint": {"brightness": pytest.approx(mean)}}
    assert replace(found, samples=()).measures == {}
