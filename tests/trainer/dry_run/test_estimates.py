"""Estimates are held against real models where there are some, and against each other where there are not."""

from dataclasses import replace

import pytest
import torch

from cologen.model.bundle import build
from cologen.model.costs import Tokens
from cologen.model.flux2 import CoLoGenFlux2Transformer2DModel
from cologen.model.gpus import GPUS, gpu_named
from cologen.model.presets import preset
from cologen.model.source import SourceTokens
from cologen.model.tokens import as_flux2, flux2_text_ids, grid_ids, text_ids
from cologen.model.transformer import WovenTransformer
from cologen.trainer.dry_run.estimates import (
    KEPT_FROZEN_GATED,
    Setup,
    kept_by_autograd,
    memory,
    operations_per_sample,
    seconds,
    tokens_of,
    trained_parameters,
)
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.paper import cologen_flux
from cologen.trainer.recipes.world import world, world_base

ALONE = Setup(gpu=GPUS["h200"], num_gpus=1, sharded=False, utilization=0.4)
BATCH = 2


def kept(recipe: Recipe) -> float:
    """Bytes that autograd keeps for each sample of a micro batch, weights aside."""
    model, stage = build(preset(recipe.preset)).transformer, recipe.stages[0]
    if not stage.trains_base:
        model.add_expert(0)
        model.freeze_for(0)
    tokens = tokens_of(recipe, stage, paired=stage.trains_base)  # the larger of what a base draws
    config = model.config
    return kept_by(
        model,
        tokens,
        grid_ids(1, tokens.image),
        text_ids(tokens.text),
        config.joint_attention_dim,
        config.pooled_projection_dim,
    )


def kept_by(
    model: WovenTransformer,
    tokens: Tokens,
    places: torch.Tensor,
    text_places: torch.Tensor,
    text_dim: int,
    pooled_dim: int,
) -> float:
    """Bytes that autograd keeps for each sample, weights aside."""
    model.train()
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    found: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    source = SourceTokens(torch.randn(BATCH, tokens.image, 48), places) if tokens.sources else None
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(
            hidden_states=torch.randn(BATCH, tokens.image, 48),
            encoder_hidden_states=torch.randn(BATCH, tokens.text, text_dim),
            pooled_projections=torch.randn(BATCH, pooled_dim),
            timestep=torch.rand(BATCH),
            img_ids=places,
            txt_ids=text_places,
            source=source,
        )
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values()) / BATCH


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
    found = kept_by(model, tokens, as_flux2(grid_ids(8, 8)), flux2_text_ids(24), 64, 0)
    assert found / 4 / (128 * 5 * (64 + 24 + 64)) == pytest.approx(KEPT_FROZEN_GATED, rel=0.25)


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
        {"optimizer": eight_bit},
        {"ema_decay": 0.0},
        {"offload_text": True},
    )
    for change in changes:
        assert memory(recipe.replace(**change), 1, ALONE).total < before
    assert memory(recipe, 1, replace(ALONE, num_gpus=8, sharded=True)).total < before
    assert memory(recipe, 1, replace(ALONE, num_gpus=8)).total == before


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
