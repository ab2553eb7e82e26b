"""FLUX.2 as a base: klein 4B and 9B, their base models, and dev."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, cast

import torch
from diffusers import Flux2Transformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.transformers.transformer_flux2 import Flux2AttnProcessor, Flux2ParallelSelfAttnProcessor
from jaxtyping import Float, Int
from torch import Tensor

from cologen.model.adapter_index import BaseKind
from cologen.model.attention import Hidden, JointAttention, Projected, Rotary, WovenAttention, heads
from cologen.model.expert_pool import SourceTimestep
from cologen.model.source import SourceCache, SourceReader, SourceWriter
from cologen.model.transformer import CoLoGenOutput, Sources, WovenTransformer
from cologen.model.weaving import Granularity


class Flux2JointProcessor(JointAttention, Flux2AttnProcessor):
    """FLUX.2's attention processor of double-stream blocks; it needs the number of its block for a source."""


class Flux2ParallelProcessor(WovenAttention, Flux2ParallelSelfAttnProcessor):
    """The same of single-stream blocks, where one matrix makes query, key, value and the perceptron's input, and one
    takes what attention and perceptron give."""

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride], whose annotations are narrower than its use
        self,
        attn: Any,
        hidden_states: Hidden,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Rotary | None = None,
        writing: SourceWriter | None = None,
        source: SourceReader | None = None,
    ) -> Hidden:
        """As the stock processor."""
        if writing is None and source is None:
            stock: Any = super().__call__  # its annotations lack the None of their defaults
            return stock(attn, hidden_states, attention_mask, image_rotary_emb)
        projected, inner = _split(attn, attn.to_qkv_mlp_proj(hidden_states))
        if writing is not None:
            found = self._written(attn, hidden_states, projected, image_rotary_emb, writing)
        else:
            found = self._seeing(heads(attn, projected), attention_mask, image_rotary_emb, cast(SourceReader, source))
        return attn.to_out(torch.cat([found, attn.mlp_act_fn(inner)], dim=-1))


class CoLoGenFlux2Transformer2DModel(WovenTransformer, Flux2Transformer2DModel):
    """FLUX.2's transformer with a pool of key-value experts; ``WovenTransformer`` has the arguments that are added.

    Its own key-value mode ("extract") has the same structure: a reference attends to itself alone, at time 0.
    """

    base_kind: ClassVar[BaseKind] = "flux.2"
    processors: ClassVar[Mapping[type, type]] = MappingProxyType(
        {Flux2AttnProcessor: Flux2JointProcessor, Flux2ParallelSelfAttnProcessor: Flux2ParallelProcessor}
    )
    reads_pooled_text: ClassVar[bool] = False

    @register_to_config
    def __init__(
        self,
        patch_size: int = 1,
        in_channels: int = 128,
        out_channels: int | None = None,
        num_layers: int = 8,
        num_single_layers: int = 48,
        attention_head_dim: int = 128,
        num_attention_heads: int = 48,
        joint_attention_dim: int = 15360,
        timestep_guidance_channels: int = 256,
        mlp_ratio: float = 3.0,
        axes_dims_rope: Sequence[int] = (32, 32, 32, 32),
        rope_theta: int = 2000,
        eps: float = 1e-6,
        guidance_embeds: bool = True,
        rank: int = 128,
        expert_scale: float = 2.0,
        routing: Granularity = "sample",
        source_timestep: SourceTimestep = "zero",
        num_experts: int = 0,
        newcomer_bias: float = 0.0,
    ) -> None:
        super().__init__(
            patch_size=patch_size,
            in_channels=in_channels,
            out_channels=out_channels,
            num_layers=num_layers,
            num_single_layers=num_single_layers,
            attention_head_dim=attention_head_dim,
            num_attention_heads=num_attention_heads,
            joint_attention_dim=joint_attention_dim,
            timestep_guidance_channels=timestep_guidance_channels,
            mlp_ratio=mlp_ratio,
            axes_dims_rope=tuple(axes_dims_rope),
            rope_theta=rope_theta,
            eps=eps,
            guidance_embeds=guidance_embeds,
        )
        self._weave()

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride], what FLUX cannot do without has no default here
        self,
        hidden_states: Float[Tensor, "batch tokens channels"] | None,
        encoder_hidden_states: Float[Tensor, "batch text_tokens text_dim"] | None,
        timestep: Float[Tensor, "batch"],
        img_ids: Float[Tensor, "*tokens 4"] | Int[Tensor, "*tokens 4"] | None,
        txt_ids: Float[Tensor, "*text_tokens 4"] | Int[Tensor, "*text_tokens 4"] | None,
        guidance: Float[Tensor, "batch"] | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        return_dict: bool = True,
        *,
        pooled_projections: Tensor | None = None,
        source: Sources = None,
        routing_noise: Float[Tensor, "sources_by_batch blocks *source_tokens experts"] | None = None,
        task_experts: Int[Tensor, "given"] | None = None,
    ) -> CoLoGenOutput | tuple[Tensor, ...] | SourceCache:
        """The velocity at ``timestep`` in [0, 1], as FLUX.2 gives it, seeing ``source``; see ``WovenTransformer``.

        ``pooled_projections`` has no effect: FLUX.2 reads no pooled text, and is called as other bases are. The stock
        model's own key-value cache has no argument here, since ``source`` takes its place.

        Raises:
            ValueError: a cache of another batch, or of a model with another number of blocks; ``task_experts`` of
                another batch, or without a source in tokens.
        """
        stock = {
            "hidden_states": hidden_states,
            "encoder_hidden_states": encoder_hidden_states,
            "timestep": timestep,
            "img_ids": img_ids,
            "txt_ids": txt_ids,
            "guidance": guidance,
            "joint_attention_kwargs": joint_attention_kwargs,
        }
        return self._run(
            stock,
            pooled=pooled_projections,
            source=source,
            routing_noise=routing_noise,
            task_experts=task_experts,
            return_dict=return_dict,
        )


def _split(attn: Any, packed: Tensor) -> tuple[Projected, Tensor]:
    """What the matrix before attention makes: query, key and value, and the perceptron's input."""
    width = 3 * attn.inner_dim
    query, key, value = packed[..., :width].chunk(3, dim=-1)
    return (query, key, value), packed[..., width:]
