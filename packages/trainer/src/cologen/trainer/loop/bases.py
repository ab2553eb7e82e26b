"""The frozen base that a recipe's stages stand on: in the recipe's precision, quantized or offloaded if asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from cologen.model.bundle import Bundle, build, load, load_text
from cologen.model.presets import preset
from cologen.model.text import TextEncoder
from cologen.model.world_base import packaged_base
from cologen.model.world_text import WorldTextEncoder
from cologen.trainer.loop.kept import some_values
from cologen.trainer.loop.offloaded_blocks import offload_blocks
from cologen.trainer.loop.prompt_batches import FixedBatches, Offloaded
from cologen.trainer.recipes.curriculum import Recipe


def open_base(
    recipe: Recipe, base: Path | None, device: torch.device, text: TextEncoder | None = None
) -> tuple[Bundle, str]:
    """The model of a recipe without experts, and a fingerprint of its base.

    Args:
        base: a FLUX folder, or a file of weights for a ``world-…`` preset. None: the bundled base; or, for recipes that
            train a base from nothing, weights drawn from the seed.
        text: what encodes prompts in place of the base's own text encoders, which then are never loaded.

    Raises:
        FileNotFoundError: the base is missing, or none is bundled for this preset.
        ValueError: it is of another shape, or cannot be quantized here.
    """
    require_packages(recipe)
    chosen = preset(recipe.preset)
    makes_base = recipe.stages[0].trains_base
    dtype = _dtype(recipe)
    if recipe.continues_base and base is None:
        raise FileNotFoundError(f"{recipe.name} continues a base: give the file of its weights with --base")
    if chosen.family == "world":
        weights = base or (None if makes_base else packaged_base(recipe.preset))
        bundle = build(chosen, seed=recipe.seed, weights=weights, device=device, dtype=dtype)
        bundle = replace(bundle, text=text or bundle.text)
    else:
        folder = given_folder(recipe, base)
        # So that the device never has to hold the whole base before it is quantized.
        elsewhere = recipe.quantize_base != "none" or recipe.offload_text or recipe.offload_base
        bundle = load(chosen, folder, device="cpu" if elsewhere else device, dtype=dtype, text=text)
    fingerprint = _fingerprint(bundle.transformer)
    if recipe.quantize_base != "none":
        _quantize(bundle.transformer, recipe.quantize_base, device)
    if recipe.offload_base:
        offload_blocks(bundle.transformer.blocks, device)
    if chosen.family == "flux":
        bundle = _placed(bundle, device)
        bundle = replace(bundle, text=text or _in_training(bundle.text, recipe, device))
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
    """A hash of each weight's name and some of its values, whatever their precision and device (``kept.identity``
    differs)."""
    found = hashlib.sha256()
    for name, weight in sorted(transformer.named_parameters()):
        found.update(name.encode() + some_values(weight).float().cpu().numpy().tobytes())
    return found.hexdigest()[:32]


def open_text(recipe: Recipe, base: Path | None, device: torch.device) -> TextEncoder:
    """The text encoders alone, as ``open_base`` gives them: a prompt's embeddings are the same to the bit.

    Raises:
        FileNotFoundError, ValueError: the base is not given, or not whole.
    """
    chosen = preset(recipe.preset)
    if chosen.family == "world":
        return WorldTextEncoder(chosen.text_tokens).to(device, _dtype(recipe))
    return _in_training(load_text(chosen, given_folder(recipe, base), dtype=_dtype(recipe)), recipe, device)


def given_folder(recipe: Recipe, base: Path | None) -> Path:
    """The folder of a FLUX base.

    Raises:
        FileNotFoundError: none is given.
    """
    if base is None:
        raise FileNotFoundError(f"{recipe.name} stands on {recipe.preset}: give the folder of its weights with --base")
    return base


def _dtype(recipe: Recipe) -> torch.dtype:
    """Of the base and its encoders. A base that trains is kept in float32: an optimizer's small steps are lost in half
    precision."""
    halved = recipe.precision == "bf16" and not recipe.stages[0].trains_base
    return torch.bfloat16 if halved else torch.float32


def _placed(bundle: Bundle, device: torch.device) -> Bundle:
    """FLUX's transformer and codec on the device."""
    assert isinstance(bundle.codec, nn.Module)
    nn.Module.to(bundle.transformer, device)
    nn.Module.to(bundle.codec, device)
    return bundle


def _in_training(text: TextEncoder, recipe: Recipe, device: torch.device) -> TextEncoder:
    """FLUX's text encoders in batches of one size; offloaded ones are on the device only while they encode."""
    assert isinstance(text, nn.Module)
    fixed = FixedBatches(text)
    return Offloaded(fixed, device) if recipe.offload_text else fixed.to(device)


def require_packages(recipe: Recipe) -> None:
    """Check that the optional packages that a recipe needs are installed, before anything large is read.

    Raises:
        ValueError: one is not; the message names all of them.
    """
    if missing := missing_packages(recipe):
        raise ValueError("; ".join(missing))


def missing_packages(recipe: Recipe) -> list[str]:
    """Optional packages that a recipe needs and that are not installed: why, how to install, and how to do without."""
    wanted = {
        "torchao": ("quantized", "quantize_base=none", recipe.quantize_base != "none"),
        "bitsandbytes": ("eight-bit", "optimizer.eight_bit=false", recipe.optimizer.eight_bit),
    }
    settings = {"torchao": f"quantize_base={recipe.quantize_base}", "bitsandbytes": "optimizer.eight_bit=true"}
    return [
        f"{settings[name]} needs the package {name}: `uv sync --extra {extra}`, or `--set {without}`"
        for name, (extra, without, needed) in wanted.items()
        if needed and find_spec(name) is None
    ]


def _quantize(transformer: nn.Module, kind: str, device: torch.device) -> None:
    """Quantize the matrices by torchao, layer by layer on ``device``; products keep the precision of the hidden
    states."""
    try:
        from torchao.quantization import (  # pyright: ignore[reportMissingImports]
            Float8WeightOnlyConfig,
            Int8WeightOnlyConfig,
            NF4Tensor,
            quantize_,
        )
    except ImportError as error:
        raise ValueError(
            f"quantize_base={kind}: torchao cannot be used with this torch ({error}). "
            "`uv sync --extra quantized` installs one that can, or `--set quantize_base=none`"
        ) from error
    if kind == "nf4":
        _to_four_bits(transformer, lambda weight: NF4Tensor.from_tensor(weight, NF4_BLOCK, NF4_SCALES), device)
    else:
        quantize_(transformer, Int8WeightOnlyConfig() if kind == "int8" else Float8WeightOnlyConfig(), device=device)


NF4_BLOCK = 64
"""Numbers that share a scale of 8 bits, as in QLoRA (arXiv:2305.14314, section 3)."""

NF4_SCALES = 256
"""Scales that share a scale of 32 bits."""


def _to_four_bits(transformer: nn.Module, quantized: Callable[[Tensor], Tensor], device: torch.device) -> None:
    """Matrices that are no whole number of blocks (of small bases, at both ends) stay as they are."""
    for layer in transformer.modules():
        if isinstance(layer, nn.Linear) and layer.weight.numel() % (NF4_BLOCK * NF4_SCALES) == 0:
            layer.weight = nn.Parameter(quantized(layer.weight.detach().to(device)), requires_grad=False)
