"""GPU memory, operations and hours of a stage, by arithmetic alone.

All of it is estimated, and the assumptions are named: what autograd keeps is counted on small models (the tests count
again), the speed is a stated share of the GPU's peak, and the codec's and text encoder's own work is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from cologen.model import costs
from cologen.model.costs import Shape, Tokens
from cologen.model.gpus import Gpu
from cologen.model.presets import preset
from cologen.trainer.loop.bases import NF4_BLOCK, NF4_SCALES
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class PerToken:
    """Numbers of a block per token and channel, counted on small models."""

    kept: int
    """What autograd keeps for the backward pass."""
    in_backward: int
    """What the block takes at most during its backward pass, gradients included."""


FROZEN = PerToken(kept=15, in_backward=24)
"""Where the base is frozen: inputs of norms, products of attention and of the activation, but no input of a frozen
matrix."""

FROZEN_GATED = PerToken(kept=21, in_backward=34)
"""The same in FLUX.2's blocks, whose perceptrons are gated."""

TRAINED = PerToken(kept=28, in_backward=28)
"""Where the base itself trains."""

_NF4_BITS = 4 + 8 / NF4_BLOCK + 32 / (NF4_BLOCK * NF4_SCALES)
_QUANTIZED: Mapping[str, float] = MappingProxyType({"int8": 1.0, "fp8": 1.0, "nf4": _NF4_BITS / 8})
"""Bytes of a base's number."""

_BYTES_TO_GPU = 25e9
"""A second from pinned memory, about, over 16 lanes of PCIe 4.0."""

_CUDA_BYTES = 1.5 * GIB
"""About what CUDA, its libraries and the allocator's fragmentation take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The hardware: ``utilization`` is the reached share of the GPU's peak."""

    gpu: Gpu
    num_gpus: int
    sharded: bool
    """FSDP; otherwise each GPU holds all of the model."""
    utilization: float

    def __post_init__(self) -> None:
        if self.num_gpus < 1 or not 0 < self.utilization <= 1:
            raise ValueError(f"expected 1 GPU or more, used in (0, 1]: got {self.num_gpus}, {self.utilization}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on each GPU."""

    base: float
    experts: float
    encoders: float
    gradients: float
    optimizer: float
    average: float
    activations: float
    cuda: float = _CUDA_BYTES

    @property
    def total(self) -> float:
        """All of them."""
        return sum(getattr(self, field.name) for field in fields(self))


def shape_of(recipe: Recipe, stage_number: int) -> Shape:
    """The model while a stage trains."""
    base = preset(recipe.preset)
    arguments = {**base.transformer, "base": base.base}
    form = {"rank": recipe.rank, "routing": recipe.routing, "num_experts": recipe.num_experts(stage_number)}
    return Shape.of(arguments | form)


def tokens_of(recipe: Recipe, stage: Stage, *, paired: bool = False) -> Tokens:
    """A sample's tokens at the recipe's square size, with one source of that size, or ``paired`` with what is drawn
    beside it."""
    base = preset(recipe.preset)
    image = (recipe.resolution.side // base.stride) ** 2 * (2 if paired else 1)
    return Tokens(image=image, text=base.text_tokens, sources=() if stage.trains_base else (image,))


def num_latents(recipe: Recipe) -> int:
    """Numbers that a picture of the recipe's square size is encoded to."""
    base = preset(recipe.preset)
    out = base.transformer["out_channels"] * base.transformer.get("patch_size", 1) ** 2
    return (recipe.resolution.side // base.stride) ** 2 * out


def trained_parameters(recipe: Recipe, stage_number: int) -> int:
    """How many numbers a stage trains: its expert and the routers, or the base."""
    found = costs.parameters(shape_of(recipe, stage_number))
    return found.base if recipe.stages[stage_number].trains_base else found.per_expert + found.router


def memory(recipe: Recipe, stage_number: int, setup: Setup) -> Memory:
    """Each GPU's memory by purpose.

    Experts, gradients, AdamW's two averages (a byte each if in 8 bits) and the EMA are in float32, and so is a base
    that trains. FSDP shares all of these out, and has two blocks gathered at a time; activations and encoders are each
    GPU's own. Offloaded text encoders count for what they take beyond the activations, and where text is stored there
    are none; of an offloaded base, two blocks and what is outside of the blocks count.
    """
    stage, shape = recipe.stages[stage_number], shape_of(recipe, stage_number)
    found = costs.parameters(shape)
    trained, share = trained_parameters(recipe, stage_number), 1 / setup.num_gpus if setup.sharded else 1.0
    held = found.base
    if recipe.offload_base:
        held -= _in_blocks(shape) * (1 - 2 / shape.num_blocks)
    experts = found.per_expert * recipe.num_experts(stage_number) + found.router
    kept = kept_by_autograd(recipe, stage_number)
    num_text, num_codec = preset(recipe.preset).encoders
    activations = kept * recipe.micro_batch * _bytes_of_activations(recipe, stage)
    text = 0.0 if recipe.stored_text else 2.0 * num_text
    if recipe.offload_text:  # they are on the GPU before the activations, and use the same memory
        text = max(0.0, text - activations)
    return Memory(
        base=held * _bytes_of_base(recipe, stage) * min(1.0, share + (2 / shape.num_blocks if share < 1 else 0)),
        experts=4 * experts * share,
        encoders=text + 2.0 * num_codec,
        gradients=4 * trained * share,
        optimizer=(2 if recipe.optimizer.eight_bit else 8) * trained * share,
        average=(4 if recipe.ema_decay else 0) * trained * share,
        activations=activations,
    )


def kept_by_autograd(recipe: Recipe, stage_number: int) -> int:
    """How many numbers the backward pass of one sample needs.

    ``kept · d · blocks · (joint + source)``. With checkpointing, each block's inputs with the source's keys and values
    before the backward pass, ``d · blocks · (joint + 3 · source)``; or after that of the target, which leaves the
    gradients of keys and values, ``d · blocks · 5 · source``; and one block in its backward pass. The tests compare
    this with torch's allocator.
    """
    stage, shape = recipe.stages[stage_number], shape_of(recipe, stage_number)
    tokens = tokens_of(recipe, stage, paired=_pair_share(stage) > 0)
    block = TRAINED if stage.trains_base else FROZEN_GATED if shape.base == "flux.2" else FROZEN
    joint, source = tokens.image + tokens.text, sum(tokens.sources)
    if not recipe.gradient_checkpointing:
        return block.kept * shape.dim * shape.num_blocks * (joint + source)
    waiting = shape.num_blocks * max(joint + 3 * source, 5 * source)
    return shape.dim * (waiting + block.in_backward * max(joint, source))


def operations_per_sample(recipe: Recipe, stage_number: int) -> int:
    """Floating-point operations of the transformer, forward and backward.

    A base that trains costs its backward pass twice the forward one, and once more forward with checkpointing.
    """
    stage, shape = recipe.stages[stage_number], shape_of(recipe, stage_number)
    again, share = recipe.gradient_checkpointing, _pair_share(stage)
    if stage.trains_base:
        alone, paired = (costs.plain_step(shape, tokens_of(recipe, stage, paired=each)).total for each in (False, True))
        return round((1 - share) * alone + share * paired) * (4 if again else 3)
    return costs.training_step(shape, tokens_of(recipe, stage), checkpointing=again).total


def seconds(operations: float, setup: Setup) -> float:
    """How long all GPUs together take."""
    return operations / (setup.gpu.peak * setup.utilization * setup.num_gpus)


def copying_seconds(recipe: Recipe, stage_number: int) -> float:
    """How long each micro batch waits for the blocks of an offloaded base, which come twice forward and twice for the
    backward pass: for the source and for the target."""
    if not recipe.offload_base:
        return 0.0
    stage, shape = recipe.stages[stage_number], shape_of(recipe, stage_number)
    return 4 * _in_blocks(shape) * _bytes_of_base(recipe, stage) / _BYTES_TO_GPU


def _in_blocks(shape: Shape) -> int:
    """Numbers of the base in its blocks."""
    without = replace(shape, num_layers=0, num_single_layers=0)
    return costs.parameters(shape).base - costs.parameters(without).base


def _pair_share(stage: Stage) -> float:
    """The share of the stage's samples that are two pictures."""
    return 0.0 if stage.scenes is None else stage.scenes.pair_share


def _bytes_of_base(recipe: Recipe, stage: Stage) -> float:
    """Of each number."""
    return _QUANTIZED.get(recipe.quantize_base, _bytes_of_activations(recipe, stage))


def _bytes_of_activations(recipe: Recipe, stage: Stage) -> float:
    """A base that trains is in float32, and so is what flows through it."""
    return 4.0 if stage.trains_base or recipe.precision == "fp32" else 2.0
