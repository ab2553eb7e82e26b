"""Qwen-Image-Edit as a base: Qwen-Image's transformer, as of 2511 with references modulated at time 0.

It has double-stream blocks alone. Text is padded, so its keys are masked. Positions are (picture, row, column) around
the middle of the picture, and text continues on the diagonal behind the picture's last row or column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, cast

import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.transformers.transformer_qwenimage import QwenDoubleStreamAttnProcessor2_0, apply_rotary_emb_qwen
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from cologen.model.adapter_index import BaseKind
from cologen.model.attention import Hidden, JointAttention, Text
from cologen.model.expert_pool import SourceTimestep
from cologen.model.source import Heads, SourceCache, SourceReader, SourceWriter
from cologen.model.transformer import CoLoGenOutput, Sources, WovenTransformer
from cologen.model.weaving import Granularity

Turns = Complex[Tensor, "tokens half_head_dim"]


class QwenImageProcessor(JointAttention, QwenDoubleStreamAttnProcessor2_0):
    """Qwen-Image's attention processor; it needs the number of its block for a source.

    ``turns`` take the place of the stock rotary embedding, which knows whole pictures from number 0 on alone.
    """

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride], diffusers names the arguments of each kind
        self,
        attn: Any,
        hidden_states: Hidden,
        encoder_hidden_states: Text,
        encoder_hidden_states_mask: Bool[Tensor, "batch text_tokens"] | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        writing: SourceWriter | None = None,
        source: SourceReader | None = None,
        turns: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Hidden, Text]:
        """As the stock processor: what pictures find, and what text does. Both embeddings are of (pictures, text)."""
        turns = turns or image_rotary_emb
        if writing is None and source is None:
            stock: Any = super(JointAttention, self).__call__
            return stock(attn, hidden_states, encoder_hidden_states, encoder_hidden_states_mask, attention_mask, turns)
        seen = encoder_hidden_states_mask
        if seen is not None:
            seen = pad(seen, (0, hidden_states.shape[1]), value=True)[:, None, None]
        joint: Any = None if turns is None else torch.cat([turns[1], turns[0]])
        found = super().__call__(attn, hidden_states, encoder_hidden_states, seen, joint, writing, source)
        return cast(tuple[Hidden, Text], found)

    def _turned(self, given: Heads, rotary: Any) -> Heads:
        return given if rotary is None else cast(Tensor, apply_rotary_emb_qwen(given, rotary, use_real=False))

    def _with_source(self, mask: Tensor, num_tokens: int) -> Tensor:
        return pad(mask, (0, num_tokens), value=True)


class CoLoGenQwenImageTransformer2DModel(WovenTransformer, QwenImageTransformer2DModel):
    """Qwen-Image's transformer with a pool of key-value experts; ``WovenTransformer`` has the arguments that are added.

    With ``zero_cond_t``, as in Edit-2511, the stock model modulates references at time 0, as a ``source_timestep`` of
    "zero" does. The variant for layered pictures (``use_layer3d_rope``, ``use_additional_t_cond``) is refused.
    """

    base_kind: ClassVar[BaseKind] = "qwen-image"
    processors: ClassVar[Mapping[type, type]] = MappingProxyType({QwenDoubleStreamAttnProcessor2_0: QwenImageProcessor})
    reads_pooled_text: ClassVar[bool] = False

    @register_to_config
    def __init__(
        self,
        patch_size: int = 2,
        in_channels: int = 64,
        out_channels: int | None = 16,
        num_layers: int = 60,
        attention_head_dim: int = 128,
        num_attention_heads: int = 24,
        joint_attention_dim: int = 3584,
        guidance_embeds: bool = False,
        axes_dims_rope: Sequence[int] = (16, 56, 56),
        zero_cond_t: bool = False,
        use_additional_t_cond: bool = False,
        use_layer3d_rope: bool = False,
        rank: int = 128,
        expert_scale: float = 2.0,
        routing: Granularity = "sample",
        source_timestep: SourceTimestep = "zero",
        num_experts: int = 0,
        newcomer_bias: float = 0.0,
    ) -> None:
        if use_additional_t_cond or use_layer3d_rope or guidance_embeds:
            raise ValueError("of Qwen-Image, neither layered pictures nor guidance as an input are supported")
        super().__init__(
            patch_size=patch_size,
            in_channels=in_channels,
            out_channels=out_channels,
            num_layers=num_layers,
            attention_head_dim=attention_head_dim,
            num_attention_heads=num_attention_heads,
            joint_attention_dim=joint_attention_dim,
            axes_dims_rope=cast(tuple[int, int, int], tuple(axes_dims_rope)),
            zero_cond_t=zero_cond_t,
        )
        self._weave()

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride], arguments of all bases are added
        self,
        hidden_states: Float[Tensor, "batch tokens channels"] | None,
        encoder_hidden_states: Float[Tensor, "batch text_tokens text_dim"] | None = None,
        encoder_hidden_states_mask: Tensor | None = None,
        timestep: Any = None,
        img_shapes: Any = None,
        guidance: Float[Tensor, "batch"] | None = None,
        attention_kwargs: dict[str, Any] | None = None,
        controlnet_block_samples: Any = None,
        additional_t_cond: Any = None,
        return_dict: bool = True,
        *,
        img_ids: Float[Tensor, "tokens 3"] | None = None,
        txt_ids: Float[Tensor, "text_tokens 3"] | None = None,
        pooled_projections: Tensor | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        source: Sources = None,
        routing_noise: Float[Tensor, "sources_by_batch blocks *source_tokens experts"] | None = None,
        task_experts: Int[Tensor, "given"] | None = None,
    ) -> CoLoGenOutput | tuple[Tensor, ...] | SourceCache:
        """The velocity at ``timestep`` in [0, 1], seeing ``source``; see ``WovenTransformer``.

        It is called as the stock model, with ``img_shapes``, or as other bases: with ``img_ids``, as
        ``Layout.grid_ids`` has them, and ``txt_ids``, the places of text counted from 0. Called so, it takes text of
        zeros for padding if there is no mask, since Qwen-Image's pipeline pads with zeros.
        ``joint_attention_kwargs`` is other bases' name of ``attention_kwargs``. ``pooled_projections`` has no effect.

        Raises:
            ValueError: a cache of another batch, or of a model with another number of blocks; ``task_experts`` of
                another batch, or without a source in tokens; neither or both of ``img_shapes`` and ``img_ids``.
        """
        if hidden_states is not None and (img_shapes is None) == (img_ids is None or txt_ids is None):
            raise ValueError("positions are given by img_shapes, or by both of img_ids and txt_ids: give one of these")
        if img_ids is not None and encoder_hidden_states_mask is None and encoder_hidden_states is not None:
            encoder_hidden_states_mask = encoder_hidden_states.detach().any(dim=-1)
        stock = {
            "hidden_states": hidden_states,
            "encoder_hidden_states": encoder_hidden_states,
            "encoder_hidden_states_mask": encoder_hidden_states_mask,
            "timestep": timestep,
            "img_shapes": img_shapes,
            "img_ids": img_ids,
            "txt_ids": txt_ids,
            "guidance": guidance,
            "joint_attention_kwargs": attention_kwargs or joint_attention_kwargs,
            "controlnet_block_samples": controlnet_block_samples,
        }
        return self._run(
            stock,
            pooled=None,
            source=source,
            routing_noise=routing_noise,
            task_experts=task_experts,
            return_dict=return_dict,
        )

    def _stock_forward(self, stock: dict[str, Any], pooled: Tensor | None) -> tuple[Tensor]:
        """Position ids become turns, which the processors use, and a picture of one token, whose modulation serves all.

        Since the stock model makes a modulation's index from ``img_shapes``, and numbers pictures from 0.
        """
        given, kwargs = dict(stock), dict(stock["joint_attention_kwargs"] or {})
        img_ids, txt_ids = given.pop("img_ids"), given.pop("txt_ids")
        if img_ids is not None:
            given["img_shapes"] = [[(1, 1, 1)]] * len(given["hidden_states"])
            kwargs["turns"] = self._turns(img_ids), self._turns(txt_ids + img_ids[:, 1:].amax() + 1)
        del given["joint_attention_kwargs"]
        return super()._stock_forward({**given, "attention_kwargs": kwargs}, pooled)

    def _turns(self, ids: Float[Tensor, "tokens 3"]) -> Turns:
        """The rotary embedding of positions, computed in float32 as the stock one, which knows whole numbers alone."""
        theta, widths = self.pos_embed.theta, self.pos_embed.axes_dim
        angles = [
            torch.outer(places, 1.0 / torch.pow(theta, torch.arange(0, width, 2, device=ids.device).float().div(width)))
            for places, width in zip(ids.float().unbind(1), widths, strict=True)
        ]
        angle = torch.cat(angles, dim=1)
        return torch.polar(torch.ones_like(angle), angle)

    @staticmethod
    def guided(
        toward: Float[Tensor, "draws tokens dim"], away: Float[Tensor, "draws tokens dim"], scale: float
    ) -> Float[Tensor, "draws tokens dim"]:
        """As Qwen-Image's pipeline: each token gets the length that it has for the prompt alone."""
        both = WovenTransformer.guided(toward, away, scale)
        return both * (toward.norm(dim=-1, keepdim=True) / both.norm(dim=-1, keepdim=True))

    @property
    def blocks(self) -> tuple[Any, ...]:
        """All are double-stream."""
        return tuple(self.transformer_blocks)
