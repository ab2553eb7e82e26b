"""Parameters and floating-point operations of a model, counted from its shape without building it.

A multiplication with its addition counts as two operations, and only matrix products count. Tests hold both against
real modules. Letters in comments: d is the width of the hidden states, r that of a perceptron by d.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cologen.model.adapter_index import BaseKind
from cologen.model.weaving import Granularity

_TIME_CHANNELS = 256  # of the sinusoids that encode time and guidance in FLUX


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Those arguments of a transformer that decide what it costs, with the defaults of ``CoLoGenTransformer2DModel``.

    FLUX.2's blocks of a kind share one modulation, have gated perceptrons and no biases. Qwen-Image has double-stream
    blocks alone, and no pooled text.
    """

    base: BaseKind = "flux.1"
    in_channels: int = 64
    out_channels: int | None = None
    num_layers: int = 19
    num_single_layers: int = 38
    attention_head_dim: int = 128
    num_attention_heads: int = 24
    joint_attention_dim: int = 4096
    pooled_projection_dim: int = 768
    guidance_embeds: bool = False
    patch_size: int = 1
    """Of what leaves the model: ``patch_size²`` latents of ``out_channels`` are a token."""
    zero_cond_t: bool = False
    """Whether pictures have a second modulation, for time 0."""
    mlp_ratio: float = 4.0
    """r, which FLUX.1 has fixed."""
    rank: int = 128
    routing: Granularity = "sample"
    num_experts: int = 0

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Shape:
        """The shape in a model's config, or in the arguments for a new one; arguments without a cost are ignored."""
        known = {field.name for field in fields(cls)}
        if arguments.get("base") == "qwen-image":
            arguments = {**arguments, "num_single_layers": 0}
        return cls(**{name: value for name, value in arguments.items() if name in known})

    @property
    def dim(self) -> int:
        """d: the width of the hidden states and of the attention."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def num_blocks(self) -> int:
        """Double-stream and single-stream blocks together."""
        return self.num_layers + self.num_single_layers

    @property
    def inner(self) -> int:
        """r · d: the width inside a perceptron."""
        return int(self.dim * self.mlp_ratio)

    @property
    def of_perceptron(self) -> int:
        """Numbers in a perceptron's matrices: two of them, and a third where it is gated."""
        return (3 if self.base == "flux.2" else 2) * self.dim * self.inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How many numbers a model holds: the base, each expert over all blocks, and the routers for all its experts."""

    base: int
    per_expert: int
    router: int


def parameters(shape: Shape) -> Parameters:
    """Counted without building anything."""
    d, head = shape.dim, shape.attention_head_dim
    double = 8 * d * d + 2 * shape.of_perceptron + 4 * head  # projections and perceptrons of both streams
    single = 4 * d * d + shape.of_perceptron + 2 * head
    told = 2 if shape.guidance_embeds else 1  # the time, and the guidance
    conditions, ends = told * (_TIME_CHANNELS + d) * d, _in_and_out(shape) + 2 * d * d
    base = shape.num_layers * double + shape.num_single_layers * single + _modulations(shape) + conditions + ends
    if shape.base == "flux.1":
        base += (shape.pooled_projection_dim + d) * d + 2 * d  # of pooled text, with biases
    if shape.base == "qwen-image":
        base += shape.joint_attention_dim  # the text's norm
    if shape.base != "flux.2":
        base += _biases(shape)
    return Parameters(
        base=base,
        per_expert=shape.num_blocks * 4 * shape.rank * d,
        router=shape.num_blocks * 2 * shape.num_experts * d,
    )


def _in_and_out(shape: Shape) -> int:
    return shape.dim * (shape.in_channels + shape.joint_attention_dim + _out_channels(shape))


def _modulations(shape: Shape) -> int:
    """Numbers in the matrices that give shift, scale and gate: twice for each stream of a double-stream block."""
    layers, singles = (1, 1) if shape.base == "flux.2" else (shape.num_layers, shape.num_single_layers)
    return (12 * layers + 3 * singles) * shape.dim * shape.dim


def _second_modulations(shape: Shape) -> int:
    """What the pictures' modulations multiply once more, for time 0."""
    return 6 * shape.num_layers * shape.dim * shape.dim if shape.zero_cond_t else 0


def _biases(shape: Shape) -> int:
    """FLUX.1's and Qwen-Image's, but those of pooled text."""
    d, told = shape.dim, 2 if shape.guidance_embeds else 1
    double, single = (12 + 8 + 2) * d + 2 * shape.inner, (3 + 4) * d + shape.inner
    return shape.num_layers * double + shape.num_single_layers * single + (2 * told + 4) * d + _out_channels(shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How many tokens a sample has: FLUX's latents have one for 16 x 16 pixels."""

    image: int
    text: int
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Flops:
    """Operations by purpose: the base's matrices, attention itself, and routers with experts."""

    linear: int = 0
    attention: int = 0
    weaving: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.linear + self.attention + self.weaving

    def __add__(self, other: Flops) -> Flops:
        return Flops(self.linear + other.linear, self.attention + other.attention, self.weaving + other.weaving)


def plain_step(shape: Shape, tokens: Tokens) -> Flops:
    """One step of text-to-image, without any source."""
    joint = tokens.image + tokens.text
    return _ends(shape, tokens.image, tokens.text) + _blocks(shape, joint, joint)


def cached_step(shape: Shape, tokens: Tokens) -> Flops:
    """One step that reads sources encoded before: only attention costs more."""
    joint = tokens.image + tokens.text
    return _ends(shape, tokens.image, tokens.text) + _blocks(shape, joint, joint + sum(tokens.sources))


def source_pass(shape: Shape, tokens: Tokens) -> Flops:
    """Encoding all sources, each alone and without text."""
    return sum((_source_pass(shape, count) for count in tokens.sources), Flops())


def concatenated_step(shape: Shape, tokens: Tokens) -> Flops:
    """What each step would cost with the sources' tokens beside the others and full attention over all of them."""
    extra = sum(tokens.sources)
    joint = tokens.image + tokens.text + extra
    embedding = Flops(linear=2 * shape.in_channels * shape.dim * extra)
    weaving = sum((_weaving(shape, count) for count in tokens.sources), Flops())
    return _ends(shape, tokens.image, tokens.text) + embedding + _blocks(shape, joint, joint) + weaving


def training_step(shape: Shape, tokens: Tokens, *, checkpointing: bool) -> Flops:
    """Forward and backward on a frozen base: sources encoded, then read, with gradients for experts and routers alone.

    The backward pass through the base's matrices costs as much as the forward pass, since their own gradients are not
    needed. Through attention it costs twice as much (what fused kernels recompute is not counted). With
    ``checkpointing`` the blocks run forward once more.
    """
    joint = tokens.image + tokens.text
    blocks = [_blocks(shape, joint, joint + sum(tokens.sources))]
    blocks += [_blocks(shape, count, count) + _weaving(shape, count, noisy=True) for count in tokens.sources]
    blocks += [_slopes(shape, count) for count in tokens.sources]
    ends = [_ends(shape, tokens.image, tokens.text), *(_ends(shape, count, 0) for count in tokens.sources)]
    backward = [_back_through_reading(shape, tokens), *(_back_through_source(shape, each) for each in tokens.sources)]
    parts: list[Flops] = [*ends, *blocks, *backward]
    if checkpointing:
        # FLUX.2 makes its modulations outside of the blocks.
        kept = 2 * _modulations(shape) * (1 + len(tokens.sources)) if shape.base == "flux.2" else 0
        parts += [*blocks, Flops(linear=-kept)]
    return sum(parts, Flops())


def _back_through_reading(shape: Shape, tokens: Tokens) -> Flops:
    """From the velocity to the sources' keys and values; no gradient is needed before the first block's attention."""
    d, joint = shape.dim, tokens.image + tokens.text
    head = 2 * d * _out_channels(shape) * tokens.image
    attention = _blocks(shape, joint, joint + sum(tokens.sources)).attention
    linear = head + (_per_token(shape) * shape.num_blocks - 6 * d * d) * joint
    if not shape.num_single_layers:  # what the last block makes of text is discarded
        linear -= 2 * (d * d + shape.of_perceptron) * tokens.text
    return Flops(linear=linear, attention=2 * attention)


def _back_through_source(shape: Shape, tokens: int) -> Flops:
    """From keys and values to routers and experts; the last block's output needs no gradient.

    A matrix that makes keys and values together with all else computes the gradient of all.
    """
    d, blocks = shape.dim, shape.num_blocks
    routers, experts = _routers(shape, tokens, noisy=True).weaving, _experts(shape, tokens).weaving
    behind_first_block = (routers + experts // 2) // blocks
    last = 2 * d * (d + shape.inner) if shape.base == "flux.2" else _per_token(shape) - 4 * d * d
    return Flops(
        linear=(_per_token(shape) * blocks - 6 * d * d - last) * tokens,
        attention=2 * 4 * d * tokens * tokens * (blocks - 1),
        weaving=2 * (routers + experts) - behind_first_block,
    )


def _source_pass(shape: Shape, tokens: int) -> Flops:
    return _ends(shape, tokens, 0) + _blocks(shape, tokens, tokens) + _weaving(shape, tokens)


def _blocks(shape: Shape, tokens: int, attended: int) -> Flops:
    """All blocks, and the modulations, which are computed once per sample."""
    return Flops(
        linear=_per_token(shape) * tokens * shape.num_blocks + 2 * (_modulations(shape) + _second_modulations(shape)),
        attention=4 * shape.dim * tokens * attended * shape.num_blocks,
    )


def _per_token(shape: Shape) -> int:
    """What a block of either kind computes for a token: four projections and a perceptron."""
    return 2 * (4 * shape.dim * shape.dim + shape.of_perceptron)


def _ends(shape: Shape, image: int, text: int) -> Flops:
    """The layers before and after the blocks."""
    d = shape.dim
    told = 2 if shape.guidance_embeds or shape.zero_cond_t else 1
    pooled = shape.pooled_projection_dim + d if shape.base == "flux.1" else 0
    conditions = told * (_TIME_CHANNELS + d) * d + pooled * d + 2 * d * d
    per_image_token = (shape.in_channels + _out_channels(shape)) * d
    return Flops(linear=2 * (conditions + per_image_token * image + shape.joint_attention_dim * d * text))


def _weaving(shape: Shape, tokens: int, *, noisy: bool = False) -> Flops:
    return _routers(shape, tokens, noisy=noisy) + _experts(shape, tokens)


def _routers(shape: Shape, tokens: int, *, noisy: bool) -> Flops:
    """The routers of all blocks on one source; noisy ones know two matrices (eq. 2)."""
    routed = tokens if shape.routing == "token" else 1
    return Flops(weaving=2 * shape.num_experts * shape.dim * routed * (2 if noisy else 1) * shape.num_blocks)


def _slopes(shape: Shape, tokens: int) -> Flops:
    """What the veteran loss of one gate needs of each router: its noise matrix once more, and both matrices' gradients.

    A gate for each task needs as many gradients as there are experts, which is as little beside the blocks.
    """
    return Flops(weaving=3 * _routers(shape, tokens, noisy=False).weaving)


def _experts(shape: Shape, tokens: int) -> Flops:
    """The chosen experts of all blocks on one source, or all of them where tokens are routed one by one."""
    computed = shape.num_experts if shape.routing == "token" else min(shape.num_experts, 1)
    return Flops(weaving=8 * shape.rank * shape.dim * tokens * computed * shape.num_blocks)


def _out_channels(shape: Shape) -> int:
    return (shape.out_channels or shape.in_channels) * shape.patch_size**2
