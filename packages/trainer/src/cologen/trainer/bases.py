"""The frozen base that a recipe's stages stand on: opened, brought to the recipe's precision, quantized if it asks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

from cologen.model.bundle import Bundle, build, load
from cologen.model.presets import preset
from cologen.model.world_base import packaged_base
from cologen.trainer.caching import some_values
from cologen.trainer.curriculum import Recipe


def open_base(recipe: Recipe, base: Path | None, device: torch.device) -> tuple[Bundle, str]:
    """The model of a recipe without experts, and a fingerprint of its base.

    Args:
        base: a FLUX folder, or a file of weights for the world's presets. None: what comes with the project; or, for
            recipes that make a base, weights drawn from the seed.

    Raises:
        FileNotFoundError: the base is not there, or nothing comes with the project for this preset.
        ValueError: it is of another shape, or cannot be quantized here.
    """
    chosen = preset(recipe.preset)
    makes_base = recipe.stages[0].trains_base
    # A base that trains is kept in float32: an optimizer's small steps are lost in half precision.
    dtype = torch.bfloat16 if recipe.precision == "bf16" and not makes_base else torch.float32
    if chosen.family == "world":
        weights = base or (None if makes_base else packaged_base(recipe.preset))
        bundle = build(chosen, seed=recipe.seed, weights=weights, device=device, dtype=dtype)
    elif base is None:
        raise FileNotFoundError(f"{recipe.name} stands on {recipe.preset}: give the folder of its weights with --base")
    else:
        bundle = load(chosen, base, device=device, dtype=dtype)
    fingerprint = _fingerprint(bundle.transformer)
    if recipe.quantize_base != "none":
        _quantize(bundle.transformer, recipe.quantize_base)
    bundle.transformer.rebuild(
        0,
        rank=recipe.rank,
        expert_scale=recipe.expert_scale,
        routing=recipe.routing,
        source_timestep=recipe.source_timestep,
        dtype=torch.float32,
    )
    return bundle, fingerprint


def _fingerprint(transformer: nn.Module) -> str:
    """A hash of each weight's name and some of its values; unlike ``caching.identity``, of no precision and place."""
    found = hashlib.sha256()
    for name, weight in sorted(transformer.named_parameters()):
        found.update(name.encode() + some_values(weight).float().cpu().numpy().tobytes())
    return found.hexdigest()[:32]


def _quantize(transformer: nn.Module, kind: str) -> None:
    """Weights alone, by torchao; products are computed in the precision of the hidden states."""
    try:
        from torchao.quantization import (  # pyright: ignore[reportMissingImports]
            Float8WeightOnlyConfig,
            Int8WeightOnlyConfig,
            quantize_,
        )
    except ImportError as error:
        raise ValueError("quantize_base needs torchao: uv sync --extra quantized, or set quantize_base=none") from error
    quantize_(transformer, Int8WeightOnlyConfig() if kind == "int8" else Float8WeightOnlyConfig())
