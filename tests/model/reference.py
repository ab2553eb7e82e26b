"""CoLoGen written a second time, as the paper draws it: one sequence of tokens, and a mask that says who sees whom.

It reads the weights of a model and shares no line with it. All blocks run over [text, noisy, source 1, source 2, …] in
one pass; a source's tokens see those of that source, and text and noisy tokens see everything (eq. 5 to 7). Experts
are chosen in loops over samples, tokens and experts (eq. 2 to 4). It is slow and meant to be read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.model.tiny import Inputs


class Reference:
    """The forward pass from weights by name and the model's configuration."""

    theta: int = 10000
    """The base of the rotary frequencies."""
    wide: tuple[str, str] = ("ff", "ff_context")
    """The names of the pictures' and the text's perceptrons."""

    def __init__(self, weights: Mapping[str, Tensor], config: Mapping[str, Any], newcomer_bias: float = 0.0) -> None:
        self.weights, self.config, self.newcomer_bias = weights, config, newcomer_bias

    def __call__(self, given: Inputs, noise: Tensor | None) -> Tensor:
        """The velocity. ``noise`` is ε of eq. 2: (sources · batch, blocks, [tokens,] experts)."""
        batch, num_sources = given.noisy.shape[0], len(given.sources)
        noises = (
            [None] * num_sources if noise is None else [noise[k * batch : (k + 1) * batch] for k in range(num_sources)]
        )
        zero = self.config["source_timestep"] == "zero"
        of_noisy = self.condition(given.timestep, given.guidance, given.pooled)
        seen_at = torch.zeros_like(given.timestep) if zero else given.timestep
        of_source = self.condition(seen_at, torch.ones_like(seen_at), given.pooled)

        # One stream per kind of token, each with what modulates it.
        streams = [self.text_in(given.text), self.picture_in(given.noisy)]
        streams += [self.picture_in(source.tokens) for source in given.sources]
        conditions = [of_noisy, of_noisy, *[of_source] * num_sources]
        places = [self.text_places(given), given.img_ids, *(each.ids for each in given.sources)]
        self.angles = self.rotation(torch.cat(places))
        self.visible = visibility([stream.shape[1] for stream in streams])
        if given.text_mask is not None:
            others = torch.ones(batch, len(self.visible) - given.text.shape[1], dtype=torch.bool)
            self.visible = self.visible & torch.cat([given.text_mask, others], dim=1)[:, None, None]

        for number in range(self.config["num_layers"]):
            name = f"transformer_blocks.{number}"
            streams = self.double_block(name, streams, conditions, [each_noise(n, number) for n in noises])
        for number in range(self.config.get("num_single_layers", 0)):
            name, block = f"single_transformer_blocks.{number}", self.config["num_layers"] + number
            streams = self.single_block(name, streams, conditions, [each_noise(n, block) for n in noises])

        scale, shift = self.linear("norm_out.linear", F.silu(of_noisy)).chunk(2, dim=1)
        return self.linear("proj_out", modulated(streams[1], shift, scale))

    def text_in(self, text: Tensor) -> Tensor:
        return self.linear("context_embedder", text)

    def picture_in(self, tokens: Tensor) -> Tensor:
        return self.linear("x_embedder", tokens)

    def text_places(self, given: Inputs) -> Tensor:
        return given.txt_ids

    def double_block(
        self, name: str, streams: list[Tensor], conditions: list[Tensor], noises: list[Tensor | None]
    ) -> list[Tensor]:
        """Text has weights of its own, noisy latent and sources share theirs."""
        queries, keys, values, modulations = [], [], [], []
        for place, (stream, condition) in enumerate(zip(streams, conditions, strict=True)):
            is_text = place == 0
            modulation = self.double_modulation(name, condition, is_text=is_text)
            seen = modulated(stream, modulation[0], modulation[1])
            parts = ("add_q_proj", "add_k_proj", "add_v_proj") if is_text else ("to_q", "to_k", "to_v")
            query, key, value = (self.linear(f"{name}.attn.{part}", seen) for part in parts)
            if place >= 2:
                more_key, more_value = self.weaving(f"{name}.attn.prw", seen, noises[place - 2])
                key, value = key + more_key, value + more_value
            kind = "norm_added" if is_text else "norm"
            queries.append(self.heads(query, f"{name}.attn.{kind}_q"))
            keys.append(self.heads(key, f"{name}.attn.{kind}_k"))
            values.append(self.heads(value))
            modulations.append(modulation)

        after = []
        for place, found in enumerate(self.attention(queries, keys, values)):
            is_text = place == 0
            _, _, gate, mlp_shift, mlp_scale, mlp_gate = modulations[place]
            out = f"{name}.attn.to_add_out" if is_text else f"{name}.attn.to_out.0"
            stream = streams[place] + gate[:, None] * self.linear(out, found)
            wide = self.wide[1 if is_text else 0]
            more = self.feed_forward(f"{name}.{wide}", modulated(stream, mlp_shift, mlp_scale))
            after.append(stream + mlp_gate[:, None] * more)
        return after

    def double_modulation(self, name: str, condition: Tensor, *, is_text: bool) -> Sequence[Tensor]:
        """Shift, scale and gate of attention, then of the feed-forward."""
        norm = f"{name}.norm1_context" if is_text else f"{name}.norm1"
        return self.linear(f"{norm}.linear", F.silu(condition)).chunk(6, dim=1)

    def feed_forward(self, name: str, hidden: Tensor) -> Tensor:
        return self.linear(f"{name}.net.2", F.gelu(self.linear(f"{name}.net.0.proj", hidden), approximate="tanh"))

    def single_block(
        self, name: str, streams: list[Tensor], conditions: list[Tensor], noises: list[Tensor | None]
    ) -> list[Tensor]:
        """All share their weights; attention and the perceptron stand side by side."""
        queries, keys, values, gates, inners = [], [], [], [], []
        for place, (stream, condition) in enumerate(zip(streams, conditions, strict=True)):
            shift, scale, gate = self.single_modulation(name, condition)
            seen = modulated(stream, shift, scale)
            query, key, value, inner = self.single_inputs(name, seen)
            if place >= 2:
                more_key, more_value = self.weaving(f"{name}.attn.prw", seen, noises[place - 2])
                key, value = key + more_key, value + more_value
            queries.append(self.heads(query, f"{name}.attn.norm_q"))
            keys.append(self.heads(key, f"{name}.attn.norm_k"))
            values.append(self.heads(value))
            gates.append(gate)
            inners.append(inner)
        found = self.attention(queries, keys, values)
        return [
            stream + gate[:, None] * self.single_output(name, torch.cat([each, inner], dim=-1))
            for stream, gate, each, inner in zip(streams, gates, found, inners, strict=True)
        ]

    def single_modulation(self, name: str, condition: Tensor) -> Sequence[Tensor]:
        """Shift, scale and gate."""
        return self.linear(f"{name}.norm.linear", F.silu(condition)).chunk(3, dim=1)

    def single_inputs(self, name: str, seen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Query, key, value, and what the perceptron puts beside attention."""
        query, key, value = (self.linear(f"{name}.attn.{part}", seen) for part in ("to_q", "to_k", "to_v"))
        return query, key, value, F.gelu(self.linear(f"{name}.proj_mlp", seen), approximate="tanh")

    def single_output(self, name: str, found: Tensor) -> Tensor:
        return self.linear(f"{name}.proj_out", found)

    def weaving(self, name: str, hidden: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """What eq. 4 adds to keys and values, sample by sample, token by token, expert by expert."""
        num_experts = self.config["num_experts"]
        if not num_experts:
            return torch.zeros_like(hidden), torch.zeros_like(hidden)
        downs = [self.weights[f"{name}.experts.{expert}.down"].unbind() for expert in range(num_experts)]
        ups = [self.weights[f"{name}.experts.{expert}.up"].unbind() for expert in range(num_experts)]
        by_token, keys, values = self.config["routing"] == "token", [], []
        for sample, tokens in enumerate(hidden):
            for place, token in enumerate(tokens):
                judged = token if by_token else tokens.mean(dim=0)
                epsilon = None if noise is None else noise[sample, place] if by_token else noise[sample]
                probability = self.gate(name, judged, epsilon)
                chosen = int(probability.argmax())  # eq. 3: S holds it alone
                for expert in range(num_experts):
                    if expert == chosen:
                        weight = self.config["expert_scale"] * probability[expert]
                        keys.append(weight * (ups[expert][0] @ (downs[expert][0] @ token)))
                        values.append(weight * (ups[expert][1] @ (downs[expert][1] @ token)))
        return torch.stack(keys).view_as(hidden), torch.stack(values).view_as(hidden)

    def gate(self, name: str, judged: Tensor, epsilon: Tensor | None) -> Tensor:
        """softmax(w) of eq. 2 for one sample or token."""
        logits = self.weights[f"{name}.router.choose"] @ judged
        if epsilon is not None:
            logits = logits + epsilon * F.softplus(self.weights[f"{name}.router.disturb"] @ judged)
        if len(logits) > 1:
            older, newest = logits.split([len(logits) - 1, 1])
            logits = torch.cat([older, newest + self.newcomer_bias])
        return logits.softmax(dim=0)

    def attention(self, queries: list[Tensor], keys: list[Tensor], values: list[Tensor]) -> list[Tensor]:
        """Joint attention under the mask, in one piece; what each stream gets."""
        query, key = (turned(torch.cat(each, dim=1), *self.angles) for each in (queries, keys))
        scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(self.config["attention_head_dim"])
        share = scores.masked_fill(~self.visible, -math.inf).softmax(dim=-1)
        found = torch.einsum("bhqk,bkhd->bqhd", share, torch.cat(values, dim=1)).flatten(2)
        return list(found.split([each.shape[1] for each in queries], dim=1))

    def heads(self, hidden: Tensor, norm: str | None = None) -> Tensor:
        """Tokens by heads, normalised by their root mean square."""
        split = hidden.unflatten(-1, (self.config["num_attention_heads"], -1))
        return split if norm is None else self.normed(norm, split)

    def normed(self, name: str, hidden: Tensor) -> Tensor:
        return hidden / (hidden.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt() * self.weights[f"{name}.weight"]

    def condition(self, timestep: Tensor, guidance: Tensor | None, pooled: Tensor) -> Tensor:
        """Time, guidance and pooled text as one vector."""
        vector = self.embedded("time_text_embed.timestep_embedder", waves(timestep * 1000).to(pooled.dtype))
        if self.config["guidance_embeds"]:
            vector = vector + self.embedded(
                "time_text_embed.guidance_embedder", waves(guidance * 1000).to(pooled.dtype)
            )
        return vector + self.embedded("time_text_embed.text_embedder", pooled)

    def embedded(self, name: str, what: Tensor) -> Tensor:
        return self.linear(f"{name}.linear_2", F.silu(self.linear(f"{name}.linear_1", what)))

    def rotation(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of each token's angles, one per pair of channels, in the single precision of FLUX."""
        angles = []
        for axis, width in enumerate(self.config["axes_dims_rope"]):
            frequencies = 1 / self.theta ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
            angles.append(ids[:, axis, None].double() * frequencies)
        angle = torch.cat(angles, dim=-1)
        return angle.cos().float().double(), angle.sin().float().double()

    def linear(self, name: str, hidden: Tensor) -> Tensor:
        found = hidden @ self.weights[f"{name}.weight"].T
        return found + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else found


def visibility(lengths: list[int]) -> Tensor:
    """Which query (row) sees which key (column): text and noisy tokens all, a source's tokens that source.

            text noisy src1 src2
    text     ×    ×     ×    ×
    noisy    ×    ×     ×    ×
    src1                ×
    src2                     ×
    """
    stream = torch.cat([torch.full((length,), place) for place, length in enumerate(lengths)])
    return (stream[:, None] < 2) | (stream[:, None] == stream[None, :])


def turned(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Neighbouring channels as a point in the plane, turned by its token's angle."""
    x, y = heads[..., 0::2], heads[..., 1::2]
    cosine, sine = cosine[:, None], sine[:, None]
    return torch.stack([x * cosine - y * sine, x * sine + y * cosine], dim=-1).flatten(-2)


def modulated(hidden: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    mean, variance = hidden.mean(dim=-1, keepdim=True), hidden.var(dim=-1, keepdim=True, correction=0)
    return (hidden - mean) / (variance + 1e-6).sqrt() * (1 + scale[:, None]) + shift[:, None]


def waves(value: Tensor, stretch: float = 1.0) -> Tensor:
    """128 cosines and 128 sines of a number, in the single precision of FLUX."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(128, dtype=torch.float32) / 128)
    angle = stretch * (value[:, None].float() * frequencies)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def each_noise(noise: Tensor | None, block: int) -> Tensor | None:
    return None if noise is None else noise[:, block]


class Reference2(Reference):
    """The same of FLUX.2: no pooled text, one modulation for all blocks of a kind, gated perceptrons, no biases."""

    theta = 2000

    def condition(self, timestep: Tensor, guidance: Tensor | None, pooled: Tensor) -> Tensor:
        """Time and guidance as one vector."""
        vector = self.embedded("time_guidance_embed.timestep_embedder", waves(timestep * 1000).to(pooled.dtype))
        if self.config["guidance_embeds"]:
            told = waves(guidance * 1000).to(pooled.dtype)
            vector = vector + self.embedded("time_guidance_embed.guidance_embedder", told)
        return vector

    def double_modulation(self, name: str, condition: Tensor, *, is_text: bool) -> Sequence[Tensor]:
        kind = "txt" if is_text else "img"
        return self.linear(f"double_stream_modulation_{kind}.linear", F.silu(condition)).chunk(6, dim=1)

    def feed_forward(self, name: str, hidden: Tensor) -> Tensor:
        return self.linear(f"{name}.linear_out", gated(self.linear(f"{name}.linear_in", hidden)))

    def single_modulation(self, name: str, condition: Tensor) -> Sequence[Tensor]:
        return self.linear("single_stream_modulation.linear", F.silu(condition)).chunk(3, dim=1)

    def single_inputs(self, name: str, seen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        width = self.config["num_attention_heads"] * self.config["attention_head_dim"]
        packed = self.linear(f"{name}.attn.to_qkv_mlp_proj", seen)
        query, key, value, inner = packed.split([width, width, width, packed.shape[-1] - 3 * width], dim=-1)
        return query, key, value, gated(inner)

    def single_output(self, name: str, found: Tensor) -> Tensor:
        return self.linear(f"{name}.attn.to_out", found)


def gated(hidden: Tensor) -> Tensor:
    """SwiGLU: the first half, through SiLU, times the second."""
    gate, value = hidden.chunk(2, dim=-1)
    return F.silu(gate) * value


class Reference3(Reference):
    """The same of Qwen-Image: double-stream blocks alone, no pooled text, text that is normalised and padded."""

    wide = ("img_mlp", "txt_mlp")

    def text_in(self, text: Tensor) -> Tensor:
        return self.linear("txt_in", self.normed("txt_norm", text))

    def picture_in(self, tokens: Tensor) -> Tensor:
        return self.linear("img_in", tokens)

    def text_places(self, given: Inputs) -> Tensor:
        """On the diagonal, behind the last row or column of the noisy latent."""
        return given.txt_ids + max(given.img_ids[:, 1].max(), given.img_ids[:, 2].max()) + 1

    def condition(self, timestep: Tensor, guidance: Tensor | None, pooled: Tensor) -> Tensor:
        """The time, whose waves are stretched after their frequencies were multiplied in."""
        return self.embedded("time_text_embed.timestep_embedder", waves(timestep, 1000).to(pooled.dtype))

    def double_modulation(self, name: str, condition: Tensor, *, is_text: bool) -> Sequence[Tensor]:
        return self.linear(f"{name}.{'txt' if is_text else 'img'}_mod.1", F.silu(condition)).chunk(6, dim=1)

    def rotation(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The same in single precision from the frequencies on."""
        angles = []
        for axis, width in enumerate(self.config["axes_dims_rope"]):
            frequencies = 1.0 / 10000 ** (torch.arange(0, width, 2).float() / width)
            angles.append(ids[:, axis, None].float() * frequencies)
        angle = torch.cat(angles, dim=-1)
        on_circle = torch.polar(torch.ones_like(angle), angle)  # whose last digit is not that of cos and sin
        return on_circle.real.double(), on_circle.imag.double()
