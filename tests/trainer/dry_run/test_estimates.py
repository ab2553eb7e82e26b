"""Estimates are held against real models where there are some, and against each other where there are not."""

from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from cologen.model.bundle import build
from cologen.model.costs import Tokens
from cologen.model.flux2 import CoLoGenFlux2Transformer2DModel
from cologen.model.gpus import GPUS, gpu_named
from cologen.model.presets import preset
from cologen.model.source import SourceTokens
from cologen.model.tokens import as_flux2, flux2_text_ids, grid_ids, text_ids
from cologen.model.transformer import WovenTransformer
from cologen.trainer.dry_run.estimates import (
    FROZEN_GATED,
    Setup,
    copying_seconds,
    kept_by_autograd,
    memory,
    operations_per_sample,
    seconds,
    tokens_of,
    trained_parameters,
)
from cologen.trainer.loop.learner import Learner
from cologen.trainer.loop.loss import Losses
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.paper import cologen_flux
from cologen.trainer.recipes.world import world, world_base
from tests.trainer import made_up

ALONE = Setup(gpu=GPUS["h200"], num_gpus=1, sharded=False, utilization=0.4)
BATCH = 2


def kept(recipe: Recipe) -> float:
    """Bytes that autograd keeps for each sample of a micro batch, weights aside."""
    model, stage = build(preset(recipe.preset)).transformer, recipe.stages[0]
    if not stage.trains_base:
        model.add_expert(0)
        model.freeze_for(0)
    tokens = tokens_of(recipe, stage, paired=stage.trains_base)  # the larger of what a base draws
    return kept_by(model, tokens, grid_ids(1, tokens.image), text_ids(tokens.text))


def kept_by(model: WovenTransformer, tokens: Tokens, places: torch.Tensor, text_places: torch.Tensor) -> float:
    """Bytes that autograd keeps for each sample, weights aside."""
    model.train()
    inputs = made_up_inputs(model, tokens, places, text_places, BATCH)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    found: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**inputs)
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values()) / BATCH


def made_up_inputs(
    model: Any, tokens: Tokens, places: torch.Tensor, text_places: torch.Tensor, batch: int
) -> dict[str, Any]:
    """Those of a training step."""
    return {
        "hidden_states": torch.randn(batch, tokens.image, 48),
        "encoder_hidden_states": torch.randn(batch, tokens.text, model.config.joint_attention_dim),
        "pooled_projections": torch.randn(batch, model.config.get("pooled_projection_dim", 0)),
        "timestep": torch.rand(batch),
        "img_ids": places,
        "txt_ids": text_places,
        "source": SourceTokens(torch.randn(batch, tokens.image, 48), places) if tokens.sources else None,
    }


@pytest.mark.parametrize("recipe", [world(), world_base()], ids=["experts", "base"])
def test_what_autograd_keeps(recipe: Recipe):
    assert kept_by_autograd(recipe, 0) * 4 == pytest.approx(kept(recipe), rel=0.25)


def test_what_autograd_keeps_in_gated_perceptrons():
    """Of a small FLUX.2, per block, token and channel."""
    model = CoLoGenFlux2Transformer2DModel(
        in_channels=48,
        num_layers=1,
        num_single_layers=4,
        attention_head_dim=32,
        num_attention_heads=4,
        joint_attention_dim=64,
        guidance_embeds=False,
        axes_dims_rope=(8, 8, 8, 8),
        rank=16,
    )
    model.add_expert(0)
    model.freeze_for(0)
    tokens = Tokens(image=64, text=24, sources=(64,))
    found = kept_by(model, tokens, as_flux2(grid_ids(8, 8)), flux2_text_ids(24))
    assert found / 4 / (128 * 5 * (64 + 24 + 64)) == pytest.approx(FROZEN_GATED.kept, rel=0.25)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("recipe", "stage"), [(world(), 0), (world(), 4), (world_base(), 0)])
def test_the_estimate_is_what_the_allocator_counts(recipe: Recipe, stage: int, checkpointing: bool):
    """Weights, optimizer, average, and the most that a step has allocated at once; a little too much does no harm."""
    recipe = recipe.replace(precision="fp32", gradient_checkpointing=checkpointing)
    found = memory(recipe, stage, ALONE)
    assert 0.98 < (found.total - found.cuda - found.encoders) / allocated(recipe, stage) < 1.2


def allocated(recipe: Recipe, number: int) -> int:
    """Bytes at the peak of a stage's second step."""
    stage, model = recipe.stages[number], build(preset(recipe.preset)).transformer
    for _ in range(recipe.num_experts(number)):
        model.add_expert(0)
    weights = dict(model.named_parameters()) if stage.trains_base else model.freeze_for(number)
    if recipe.gradient_checkpointing:
        model.enable_gradient_checkpointing()
    learner = Learner(
        model.train(), weights, recipe.optimizer, ema_decay=recipe.ema_decay, clip=1.0, processes=made_up.ALONE
    )
    tokens, size = tokens_of(recipe, stage, paired=stage.trains_base), recipe.micro_batch
    inputs = made_up_inputs(model, tokens, grid_ids(1, tokens.image), text_ids(tokens.text), size)

    def loss() -> tuple[Losses, list[str]]:
        found = model(**inputs)
        per_sample = found.sample.square().mean(dim=(1, 2))
        losses = Losses(
            task=per_sample.mean(), per_sample=per_sample.detach(), time=inputs["timestep"], routing=found.routing
        )
        return losses, [stage.task] * size

    learner.step([loss], 1e-4)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        learner.step([loss], 1e-4)
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    peak = max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))
    states = [each for state in learner.optimizer.state.values() for each in state.values()]
    return peak + sum(each.nbytes for each in (*model.parameters(), *learner.average.values(), *states))


def test_checkpointing_keeps_less_than_a_fifth():
    recipe = cologen_flux()
    without = recipe.replace(gradient_checkpointing=False)
    assert kept_by_autograd(recipe, 0) < 0.2 * kept_by_autograd(without, 0)
    assert operations_per_sample(recipe, 0) > operations_per_sample(without, 0)


def test_parameters_are_those_of_the_model():
    model = build(preset("world-tiny")).transformer
    assert trained_parameters(world_base(), 0) == sum(weight.numel() for weight in model.parameters())
    for _ in range(3):
        model.add_expert(0)
    assert trained_parameters(world(), 2) == sum(weight.numel() for weight in model.freeze_for(2).values())


def test_memory_of_flux_is_made_of_what_it_says():
    found = memory(cologen_flux(), 0, ALONE)
    assert found.base == pytest.approx(2 * 11.9e9, rel=0.01)
    trained = trained_parameters(cologen_flux(), 0)
    assert (found.gradients, found.optimizer, found.average) == (4 * trained, 8 * trained, 4 * trained)
    parts = (found.base, found.experts, found.encoders, found.gradients, found.optimizer, found.average)
    assert found.total == pytest.approx(sum(parts) + found.activations + found.cuda)


def test_each_remedy_lowers_the_memory():
    recipe = cologen_flux()
    before = memory(recipe, 1, ALONE).total
    eight_bit = recipe.optimizer.replace(eight_bit=True)
    changes = (
        {"micro_batch": 1},
        {"quantize_base": "fp8"},
        {"quantize_base": "nf4"},
        {"offload_base": True},
        {"optimizer": eight_bit},
        {"ema_decay": 0.0},
        {"offload_text": True},
    )
    for change in changes:
        assert memory(recipe.replace(**change), 1, ALONE).total < before
    assert memory(recipe, 1, replace(ALONE, num_gpus=8, sharded=True)).total < before
    assert memory(recipe, 1, replace(ALONE, num_gpus=8)).total == before


def test_an_offloaded_base_takes_little_memory_and_time_to_be_copied():
    recipe = cologen_flux().replace(offload_base=True)
    assert memory(recipe, 0, ALONE).base < 0.05 * memory(cologen_flux(), 0, ALONE).base
    assert copying_seconds(recipe, 0) == pytest.approx(4 * 2 * 11.8e9 / 25e9, rel=0.01)
    assert copying_seconds(cologen_flux(), 0) == 0


def test_the_page_on_small_gpus_says_what_is_estimated():
    lines = (Path(__file__).parents[3] / "docs/small-gpus.md").read_text().splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    setup = Setup(gpu=GPUS["rtx4090"], num_gpus=1, sharded=False, utilization=0.45)
    for name, settings, gigabytes, took in rows:
        recipe = load_recipe(name, settings.split())
        of_micro_batch = seconds(float(operations_per_sample(recipe, 4) * recipe.micro_batch), setup)
        assert f"{memory(recipe, 4, setup).total / 1e9:.1f}" == gigabytes
        assert f"{of_micro_batch + copying_seconds(recipe, 4):.2f}" == took
    for name, days in (("cologen-klein", "1,541"), ("cologen-flux", "3,280")):
        recipe = load_recipe(name, [])
        found = (operations_per_sample(recipe, each) * recipe.stages[each].total_samples for each in range(5))
        assert days == f"{seconds(float(sum(found)), setup) / 86400:,.0f}"
        assert any(days in line for line in lines)
    assert len(rows) == 15


def test_time_is_shared_out():
    alone = seconds(1e18, ALONE)
    assert alone == pytest.approx(1e18 / (989e12 * 0.4))
    assert seconds(1e18, replace(ALONE, num_gpus=8)) == pytest.approx(alone / 8)


def test_unknown_gpus_and_impossible_setups_are_refused():
    assert gpu_named("a100").peak == 312e12
    with pytest.raises(ValueError, match="no GPU is called 'tpu': expected one of rtx4090"):
        gpu_named("tpu")
    with pytest.raises(ValueError, match=r"used in \(0, 1\]"):
        replace(ALONE, utilization=1.5)


def test_offloaded_encoders_and_activations_share_their_memory():
    recipe = cologen_flux()
    stays, leaves = memory(recipe, 0, ALONE), memory(recipe.replace(offload_text=True), 0, ALONE)
    assert stays.encoders == pytest.approx(9.9e9, rel=0.01)
    assert stays.total - leaves.total == pytest.approx(min(stays.activations, 2 * 4.885e9), rel=0.01)
