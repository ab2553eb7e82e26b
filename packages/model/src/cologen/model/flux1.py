"""FLUX.1 as a base: dev, Fill, schnell, Kontext and Krea, and the small models of the synthetic dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, cast

from diffusers import FluxTransformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor
from jaxtyping import Float, Int
from torch import Tensor

from cologen.model.adapter_index import BaseKind
from cologen.model.attention import JointAttention
from cologen.model.expert_pool import SourceTimestep
from cologen.model.source import SourceCache
from cologen.model.transformer import CoLoGenOutput, Sources, WovenTransformer
from cologen.model.weaving import Granularity


class Flux1Processor(JointAttention, FluxAttnProcessor):
    """FLUX.1's attention processor, of both kinds of blocks; it needs the number of its block for a source."""


class CoLoGenTransformer2DModel(WovenTransformer, FluxTransformer2DModel):
    """FLUX.1's transformer with a pool of key-value experts; ``WovenTransformer`` has the arguments that are added."""

    base_kind: ClassVar[BaseKind] = "flux.1"
    processors: ClassVar[Mapping[type, type]] = MappingProxyType({FluxAttnProcessor: Flux1Processor})
    reads_pooled_text: ClassVar[bool] = True

    @register_to_config
    def __init__(
        self,
        patch_size: int = 1,
        in_channels: int = 64,
        out_channels: int | None = None,
        num_layers: int = 19,
        num_single_layers: int = 38,
        attention_head_dim: int = 128,
        num_attention_heads: int = 24,
        joint_attention_dim: int = 4096,
        pooled_projection_dim: int = 768,
        guidance_embeds: bool = False,
        axes_dims_rope: Sequence[int] = (16, 56, 56),
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
            pooled_projection_dim=pooled_projection_dim,
            guidance_embeds=guidance_embeds,
            axes_dims_rope=cast(tuple[int, int, int], tuple(axes_dims_rope)),
        )
        self._weave()

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride], what FLUX cannot do without has no default here
        self,
        hidden_states: Float[Tensor, "batch tokens channels"] | None,
        encoder_hidden_states: Float[Tensor, "batch text_tokens text_dim"] | None,
        pooled_projections: Float[Tensor, "batch pooled_dim"],
        timestep: Float[Tensor, "batch"],
        img_ids: Float[Tensor, "tokens 3"] | None,
        txt_ids: Float[Tensor, "text_tokens 3"] | None,
        guidance: Float[Tensor, "batch"] | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        controlnet_block_samples: Any = None,
        controlnet_single_block_samples: Any = None,
        return_dict: bool = True,
        controlnet_blocks_repeat: bool = False,
        *,
        source: Sources = None,
        routing_noise: Float[Tensor, "sources_by_batch blocks *source_tokens experts"] | None = None,
        task_experts: Int[Tensor, "given"] | None = None,
    ) -> CoLoGenOutput | tuple[Tensor, ...] | SourceCache:
        """The velocity at ``timestep`` in [0, 1], as FLUX.1 gives it, seeing ``source``; see ``WovenTransformer``.

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
            "controlnet_block_samples": controlnet_block_samples,
            "controlnet_single_block_samples": controlnet_single_block_samples,
            "controlnet_blocks_repeat": controlnet_blocks_repeat,
        }
        return self._run(
            stock,
            pooled=pooled_projections,
            source=source,
            routing_noise=routing_noise,
            task_experts=task_experts,
            return_dict=return_dict,
        )
