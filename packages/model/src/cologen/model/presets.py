"""Which models there are, from one that trains on a laptop to FLUX itself, and how to get one with its codec and text.

    bundle = build(preset("world-tiny"), seed=0)                 # 2.5 M parameters, from nothing
    bundle = load(preset("flux-dev"), Path("FLUX.1-dev"))        # a folder as diffusers writes it
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from cologen.model.codecs import Codec, FluxCodec
from cologen.model.text import FluxTextEncoder, TextEncoder
from cologen.model.transformer import CoLoGenTransformer2DModel
from cologen.model.world_codec import WorldCodec
from cologen.model.world_text import WorldTextEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of model: its shape, what it reads and writes, and how it is sampled.

    ``transformer`` holds the arguments of ``CoLoGenTransformer2DModel``. ``layout`` says what a token of the base is made of:
    the latent alone ("plain"), or latent, masked picture and mask ("fill"). ``guidance`` is the scale told to bases
    that were distilled with it, None for others. ``side`` is the picture's usual side in pixels.
    """

    name: str
    family: Literal["world", "flux"]
    transformer: Mapping[str, Any]
    layout: Literal["plain", "fill"] = "plain"
    patch: int
    side: int
    text_tokens: int
    num_steps: int
    shifted: bool = True
    guidance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A transformer and what stands around it."""

    preset: Preset
    transformer: CoLoGenTransformer2DModel
    codec: Codec
    text: TextEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCounts:
    """How many numbers a model has: the base, each stage's expert, and each stage's share of the router."""

    base: int
    per_expert: int
    router_per_expert: int


def _world(heads: int, head_dim: int, num_layers: int, num_single_layers: int, rank: int) -> Mapping[str, Any]:
    # A sixteenth of each head is for which picture, the rest for row and column, as in FLUX; pairs need even numbers.
    which = 2 * math.ceil(head_dim / 16)
    return MappingProxyType(
        {
            "in_channels": WorldCodec.latent_channels,
            "num_layers": num_layers,
            "num_single_layers": num_single_layers,
            "num_attention_heads": heads,
            "attention_head_dim": head_dim,
            "joint_attention_dim": WorldTextEncoder.channels,
            "pooled_projection_dim": WorldTextEncoder.pooled_channels,
            "axes_dims_rope": (which, (head_dim - which) // 2, (head_dim - which) // 2),
            "rank": rank,
        }
    )


def _flux(in_channels: int = 64, guidance_embeds: bool = True) -> Mapping[str, Any]:
    return MappingProxyType(
        {
            "in_channels": in_channels,
            "out_channels": 64,
            "num_layers": 19,
            "num_single_layers": 38,
            "num_attention_heads": 24,
            "attention_head_dim": 128,
            "joint_attention_dim": 4096,
            "pooled_projection_dim": 768,
            "guidance_embeds": guidance_embeds,
            "axes_dims_rope": (16, 56, 56),
            "rank": 128,  # the paper, section 3.1
        }
    )
