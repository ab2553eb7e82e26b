"""The presets: model shapes from one that trains on a laptop to FLUX; ``bundle`` builds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from cologen.model.world_codec import WorldCodec
from cologen.model.world_text import WorldTextEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of model: its shape, what it reads and writes, and how it is sampled.

    ``family`` says which codec and text encoder it uses, ``transformer`` holds the arguments of
    ``CoLoGenTransformer2DModel``. ``layout`` is what the base reads in a token: the latent alone ("plain"), or latent,
    masked picture and mask ("fill"). ``patch`` is in latents, ``side`` a picture's usual side in pixels. ``shifted``
    says whether times are shifted with the resolution; ``guidance`` is the scale of bases distilled with one, else
    None.
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
    guidance: float | None = None


def _world(axes: tuple[int, int, int], *, heads: int, layers: tuple[int, int], rank: int) -> Mapping[str, Any]:
    """``axes``: channels of a head for picture, row and column; ``layers``: double-stream and single-stream blocks."""
    return MappingProxyType(
        {
            "in_channels": WorldCodec.latent_channels,
            "out_channels": WorldCodec.latent_channels,
            "num_layers": layers[0],
            "num_single_layers": layers[1],
            "num_attention_heads": heads,
            "attention_head_dim": sum(axes),
            "joint_attention_dim": WorldTextEncoder.channels,
            "pooled_projection_dim": WorldTextEncoder.pooled_channels,
            "guidance_embeds": False,
            "axes_dims_rope": axes,
            "rank": rank,
        }
    )


def _flux(*, in_channels: int = 64, guidance_embeds: bool = True) -> Mapping[str, Any]:
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
            "rank": 128,  # the paper's, section 3.1
        }
    )


_PRESETS = (
    Preset(
        name="world-tiny",
        family="world",
        transformer=_world((4, 14, 14), heads=4, layers=(3, 3), rank=16),
        patch=1,
        side=32,
        text_tokens=24,
        num_steps=20,
    ),
    Preset(
        name="world-small",
        family="world",
        transformer=_world((8, 28, 28), heads=6, layers=(3, 6), rank=32),
        patch=1,
        side=64,
        text_tokens=56,
        num_steps=28,
    ),
    Preset(
        name="flux-dev",
        family="flux",
        transformer=_flux(),
        patch=2,
        side=1024,
        text_tokens=512,
        num_steps=28,
        guidance=3.5,
    ),
    Preset(
        name="flux-fill",
        family="flux",
        transformer=_flux(in_channels=384),
        layout="fill",
        patch=2,
        side=1024,
        text_tokens=512,
        num_steps=50,
        guidance=30.0,
    ),
    Preset(
        name="flux-schnell",
        family="flux",
        transformer=_flux(guidance_embeds=False),
        patch=2,
        side=1024,
        text_tokens=256,
        num_steps=4,
        shifted=False,
    ),
)
PRESETS: Mapping[str, Preset] = MappingProxyType({each.name: each for each in _PRESETS})
"""By name. Steps and guidance are those that the base's own authors sample with."""


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset is called {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
