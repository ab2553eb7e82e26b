"""CoLoGen's attention: the base's own, with writing and reading of a source's keys and values (eq. 5 to 7).

The source attends only to itself, so it runs through the base first ("write", without text). Its keys and values are
then appended to those of the noisy and text tokens ("read"). No mask is needed, so every attention backend works, but
for bases whose text is padded.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from jaxtyping import Complex, Float
from torch import Tensor

from cologen.model.source import Heads, SourceReader, SourceWriter

Hidden = Float[Tensor, "batch tokens dim"]
Text = Float[Tensor, "batch text_tokens dim"]
Projected = tuple[Hidden, Hidden, Hidden]
Rotary = (
    tuple[Float[Tensor, "all_tokens head_dim"], Float[Tensor, "all_tokens head_dim"]]
    | Complex[Tensor, "all_tokens half_head_dim"]
)
"""Cosines and sines for each channel, or complex numbers for each pair of them."""
Seen = Float[Tensor, "batch seen_tokens heads head_dim"]


class WovenAttention:
    """Mixed into a base's attention processor: a source that sees itself alone, and tokens that see it.

    ``block`` is the number of the processor's block, which the model sets, since diffusers creates processors without
    arguments.
    """

    _attention_backend: Any
    _parallel_config: Any

    def __init__(self, block: int = 0) -> None:
        super().__init__()
        self.block = block

    def _written(
        self, attn: Any, hidden: Hidden, projected: Projected, rotary: Rotary | None, writing: SourceWriter
    ) -> Hidden:
        """What a source's tokens find in each other, with the experts' residuals; keys and values are recorded."""
        query, key, value = projected
        probability = slope = None
        if attn.prw.experts:
            noise = writing.noise_of(self.block)
            residuals, probability, slope = attn.prw(hidden, noise, writing.newcomer_bias, writing.task_experts)
            key, value = key + residuals[0], value + residuals[1]  # eq. 4
        query, key, value = heads(attn, (query, key, value))
        query, key = self._turned(query, rotary), self._turned(key, rotary)
        writing.record(self.block, key, value, probability, slope)
        return self._attend(query, key, value)

    def _seeing(
        self, of_tokens: tuple[Heads, Heads, Heads], mask: Tensor | None, rotary: Rotary | None, source: SourceReader
    ) -> Hidden:
        """What all other tokens find in themselves and in the source."""
        query, key, value = of_tokens
        query, key = self._turned(query, rotary), self._turned(key, rotary)
        source_key, source_value = source.part_of(self.block)
        if mask is not None:
            mask = self._with_source(mask, source_key.shape[1])
        key = torch.cat([key, source_key], dim=1)  # eq. 5
        value = torch.cat([value, source_value], dim=1)  # eq. 6
        return self._attend(query, key, value, mask)  # eq. 7

    def _attend(self, query: Heads, key: Seen, value: Seen, mask: Tensor | None = None) -> Hidden:
        found = dispatch_attention_fn(
            query, key, value, attn_mask=mask, backend=self._attention_backend, parallel_config=self._parallel_config
        )
        return found.flatten(2, 3).to(query.dtype)

    def _turned(self, given: Heads, rotary: Any) -> Heads:
        """Queries or keys rotated by their positions (RoPE)."""
        return given if rotary is None else cast(Tensor, apply_rotary_emb(given, rotary, sequence_dim=1))

    def _with_source(self, mask: Tensor, num_tokens: int) -> Tensor:
        """The mask of a base whose text is padded, for the source's keys too; other bases have none."""
        raise ValueError("an attention mask and a source cannot be combined")


class JointAttention(WovenAttention):
    """Of blocks with a matrix each for query, key and value: FLUX.1's of both kinds, others' double-stream ones."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Hidden,
        encoder_hidden_states: Text | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Rotary | None = None,
        writing: SourceWriter | None = None,
        source: SourceReader | None = None,
    ) -> Hidden | tuple[Hidden, Text]:
        """As the stock processor; with ``encoder_hidden_states`` (double-stream blocks) both streams are returned."""
        if writing is not None:
            projected = _project(attn, hidden_states)
            found = self._written(attn, hidden_states, projected, image_rotary_emb, writing)
            return found if encoder_hidden_states is None else (_out(attn, found), encoder_hidden_states)
        if source is not None:
            return self._read(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb, source)
        stock: Any = super().__call__  # pyright: ignore[reportAttributeAccessIssue], of what this is mixed into
        return stock(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)

    def _read(
        self,
        attn: Any,
        hidden: Hidden,
        text: Text | None,
        mask: Tensor | None,
        rotary: Rotary | None,
        source: SourceReader,
    ) -> Hidden | tuple[Hidden, Text]:
        of_tokens = heads(attn, _project(attn, hidden))
        if text is None:
            return self._seeing(of_tokens, mask, rotary, source)
        pairs = zip(_text_heads(attn, text), of_tokens, strict=True)
        query, key, value = (torch.cat(pair, dim=1) for pair in pairs)
        found = self._seeing((query, key, value), mask, rotary, source)
        of_text, of_image = found[:, : text.shape[1]], found[:, text.shape[1] :]
        return _out(attn, of_image), attn.to_add_out(of_text.contiguous())


def _project(attn: Any, hidden: Hidden) -> Projected:
    if attn.fused_projections:
        query, key, value = attn.to_qkv(hidden).chunk(3, dim=-1)
        return query, key, value
    return attn.to_q(hidden), attn.to_k(hidden), attn.to_v(hidden)


def heads(attn: Any, projected: Projected) -> tuple[Heads, Heads, Heads]:
    """Query, key and value by heads, the first two normalised."""
    query, key, value = (each.unflatten(-1, (attn.heads, -1)) for each in projected)
    return attn.norm_q(query), attn.norm_k(key), value


def _text_heads(attn: Any, text: Text) -> tuple[Heads, Heads, Heads]:
    if attn.fused_projections:
        projected = attn.to_added_qkv(text).chunk(3, dim=-1)
    else:
        projected = attn.add_q_proj(text), attn.add_k_proj(text), attn.add_v_proj(text)
    query, key, value = (each.unflatten(-1, (attn.heads, -1)) for each in projected)
    return attn.norm_added_q(query), attn.norm_added_k(key), value


def _out(attn: Any, found: Hidden) -> Hidden:
    return attn.to_out[1](attn.to_out[0](found.contiguous()))
