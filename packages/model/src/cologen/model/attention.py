"""CoLoGen's attention: FLUX's own, with writing and reading of a source's keys and values (eq. 5 to 7).

The source attends only to itself, so it runs through the base first ("write", without text). Its keys and values are
then appended to those of the noisy and text tokens ("read"). No mask is needed, so every attention backend works.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor
from jaxtyping import Float
from torch import Tensor

from cologen.model.source import Heads, SourceReader, SourceWriter

Hidden = Float[Tensor, "batch tokens dim"]
Text = Float[Tensor, "batch text_tokens dim"]
Rotary = tuple[Float[Tensor, "all_tokens head_dim"], Float[Tensor, "all_tokens head_dim"]]
Seen = Float[Tensor, "batch seen_tokens heads head_dim"]


class WeavingProcessor(FluxAttnProcessor):
    """FLUX's attention processor; with ``writing`` or ``source`` it needs the number of its block.

    The model sets these numbers, since diffusers creates processors without arguments.
    """

    def __init__(self, block: int = 0) -> None:
        super().__init__()
        self.block = block

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride], whose annotations are narrower than its use
        self,
        attn: Any,
        hidden_states: Hidden,
        encoder_hidden_states: Text | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Rotary | None = None,
        writing: SourceWriter | None = None,
        source: SourceReader | None = None,
    ) -> Hidden | tuple[Hidden, Text]:
        """As ``FluxAttnProcessor``; with ``encoder_hidden_states`` (double-stream blocks) both streams are returned."""
        if writing is not None:
            return self._write(attn, hidden_states, encoder_hidden_states, image_rotary_emb, writing)
        if source is not None:
            return self._read(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb, source)
        stock: Any = super().__call__  # its annotations lack the None of their defaults
        return stock(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)

    def _write(
        self,
        attn: Any,
        hidden: Hidden,
        no_text: Text | None,
        rotary: Rotary | None,
        writing: SourceWriter,
    ) -> Hidden | tuple[Hidden, Text]:
        query, key, value = _project(attn, hidden)
        probability = slope = None
        if attn.prw.experts:
            noise = writing.noise_of(self.block)
            residuals, probability, slope = attn.prw(hidden, noise, writing.newcomer_bias, writing.task_experts)
            key, value = key + residuals[0], value + residuals[1]  # eq. 4
        query, key, value = _heads(attn, query, key, value)
        query, key = _turned(query, rotary), _turned(key, rotary)
        writing.record(self.block, key, value, probability, slope)
        found = self._attend(query, key, value)
        return found if no_text is None else (_out(attn, found), no_text)

    def _read(
        self,
        attn: Any,
        hidden: Hidden,
        text: Text | None,
        mask: Tensor | None,
        rotary: Rotary | None,
        source: SourceReader,
    ) -> Hidden | tuple[Hidden, Text]:
        if mask is not None:
            raise ValueError("an attention mask and a source cannot be combined")
        query, key, value = _heads(attn, *_project(attn, hidden))
        if text is not None:
            of_text = _text_heads(attn, text)
            query, key, value = (torch.cat(pair, dim=1) for pair in zip(of_text, (query, key, value), strict=True))
        query, key = _turned(query, rotary), _turned(key, rotary)
        source_key, source_value = source.part_of(self.block)
        key = torch.cat([key, source_key], dim=1)  # eq. 5
        value = torch.cat([value, source_value], dim=1)  # eq. 6
        found = self._attend(query, key, value)  # eq. 7
        if text is None:
            return found
        of_text, of_image = found[:, : text.shape[1]], found[:, text.shape[1] :]
        return _out(attn, of_image), attn.to_add_out(of_text.contiguous())

    def _attend(self, query: Heads, key: Seen, value: Seen) -> Hidden:
        found = dispatch_attention_fn(
            query, key, value, backend=self._attention_backend, parallel_config=self._parallel_config
        )
        return found.flatten(2, 3).to(query.dtype)


def _project(attn: Any, hidden: Hidden) -> tuple[Hidden, Hidden, Hidden]:
    if attn.fused_projections:
        query, key, value = attn.to_qkv(hidden).chunk(3, dim=-1)
        return query, key, value
    return attn.to_q(hidden), attn.to_k(hidden), attn.to_v(hidden)


def _heads(attn: Any, query: Hidden, key: Hidden, value: Hidden) -> tuple[Heads, Heads, Heads]:
    query, key, value = (each.unflatten(-1, (-1, attn.head_dim)) for each in (query, key, value))
    return attn.norm_q(query), attn.norm_k(key), value


def _text_heads(attn: Any, text: Text) -> tuple[Heads, Heads, Heads]:
    if attn.fused_projections:
        projected = attn.to_added_qkv(text).chunk(3, dim=-1)
    else:
        projected = attn.add_q_proj(text), attn.add_k_proj(text), attn.add_v_proj(text)
    query, key, value = (each.unflatten(-1, (-1, attn.head_dim)) for each in projected)
    return attn.norm_added_q(query), attn.norm_added_k(key), value


def _turned(heads: Heads, rotary: Any) -> Heads:
    return heads if rotary is None else cast(Tensor, apply_rotary_emb(heads, rotary, sequence_dim=1))


def _out(attn: Any, found: Hidden) -> Hidden:
    return attn.to_out[1](attn.to_out[0](found.contiguous()))
