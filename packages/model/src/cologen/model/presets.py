"""The presets: model shapes from one that trains on a laptop to FLUX; ``bundle`` builds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from cologen.model import flow
from cologen.model.adapter_index import SHAPES, BaseKind
from cologen.model.world_codec import WorldCodec
from cologen.model.world_text import WorldTextEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of model: its shape, what it reads and writes, and how it is sampled.

    ``family`` says where codec and text encoder come from: a folder as diffusers writes it ("flux"), or the synthetic
    dataset's own. ``base`` is the kind of transformer, and ``transformer`` holds its arguments. ``layout`` is what the
    base reads in a token: the latent alone ("plain"), or latent, masked picture and mask ("fill"). ``patch`` is in
    latents, of which each is ``downscale × downscale`` pixels; ``side`` is a picture's usual side in pixels.
    ``shifted`` says whether times are shifted with the resolution; ``guidance`` is the scale of bases distilled with
    one, else None. ``cfg`` is the scale of classifier-free guidance against the empty prompt that its authors sample
    with; 1: none. ``encoders`` counts the parameters of its text encoders, and of its codec.
    """

    name: str
    family: Literal["world", "flux"]
    base: BaseKind = "flux.1"
    transformer: Mapping[str, Any]
    layout: Literal["plain", "fill"] = "plain"
    patch: int
    downscale: int
    side: int
    text_tokens: int
    num_steps: int
    shifted: bool = True
    guidance: float | None = None
    cfg: float = 1.0
    encoders: tuple[int, int] = (0, 0)

    @property
    def stride(self) -> int:
        """Pixels along a token's side."""
        return self.patch * self.downscale

    def shift_exponent(self, num_tokens: int, num_steps: int | None = None) -> float | None:
        """μ of the shift of times for a picture of so many tokens; None: they are not shifted.

        FLUX.2's also depends on the number of steps; in training, which has none, it is that of ``self.num_steps``.
        """
        if not self.shifted:
            return None
        if self.base == "flux.2":
            return flow.shift_exponent_of_flux2(num_tokens, num_steps or self.num_steps)
        return flow.shift_exponent(num_tokens, _SHIFTS[self.base])

    def times(self, num_tokens: int, num_steps: int) -> Float[Tensor, "times"]:
        """The times of sampling, from 1 to 0.

        Raises:
            ValueError: there are fewer steps than the base can have.
        """
        last = flow.QWEN_IMAGE_LAST if self.base == "qwen-image" else None
        return flow.schedule(num_steps, self.shift_exponent(num_tokens, num_steps), last)

    @property
    def scheduler(self) -> dict[str, Any]:
        """What diffusers' scheduler needs to have the same times, beside the number of tokens and FLUX.2's μ."""
        if self.base != "qwen-image":
            return {"use_dynamic_shifting": self.shifted}
        (few, low), (many, high) = flow.QWEN_IMAGE_SHIFT
        return {
            "use_dynamic_shifting": self.shifted,
            "base_image_seq_len": few,
            "base_shift": low,
            "max_image_seq_len": many,
            "max_shift": high,
            "shift_terminal": flow.QWEN_IMAGE_LAST,
        }


_SHIFTS = {"flux.1": flow.FLUX1_SHIFT, "qwen-image": flow.QWEN_IMAGE_SHIFT}


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


_FLUX1_ENCODERS = 4_762_310_656 + 123_060_480, 83_819_683
"""T5-XXL's encoder with CLIP-L's text model, and the autoencoder."""


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


def _flux1(
    name: str,
    transformer: Mapping[str, Any],
    *,
    num_steps: int,
    layout: Literal["plain", "fill"] = "plain",
    text_tokens: int = 512,
    shifted: bool = True,
    guidance: float | None = None,
) -> Preset:
    return Preset(
        name=name,
        family="flux",
        transformer=transformer,
        layout=layout,
        patch=2,
        downscale=8,
        encoders=_FLUX1_ENCODERS,
        side=1024,
        text_tokens=text_tokens,
        num_steps=num_steps,
        shifted=shifted,
        guidance=guidance,
    )


def _flux2(*, heads: int, layers: tuple[int, int], text: int, guidance_embeds: bool = False) -> Mapping[str, Any]:
    """``layers``: double-stream and single-stream blocks; ``text``: channels of the encoder's three layers together."""
    return MappingProxyType(
        {
            "in_channels": 128,
            "out_channels": 128,
            "num_layers": layers[0],
            "num_single_layers": layers[1],
            "num_attention_heads": heads,
            "attention_head_dim": 128,
            "joint_attention_dim": text,
            "mlp_ratio": 3.0,
            "guidance_embeds": guidance_embeds,
            "axes_dims_rope": (32, 32, 32, 32),
            "rank": 128,
        }
    )


_QWEN_IMAGE: Mapping[str, Any] = MappingProxyType(
    {
        "patch_size": 2,
        "in_channels": 64,
        "out_channels": 16,
        "num_layers": 60,
        "num_attention_heads": 24,
        "attention_head_dim": 128,
        "joint_attention_dim": 3584,
        "guidance_embeds": False,
        "axes_dims_rope": (16, 56, 56),
        "zero_cond_t": True,
        "rank": 128,
    }
)
"""The shape of Qwen-Image-Edit-2511."""

_KLEIN_4B = _flux2(heads=24, layers=(5, 20), text=3 * 2560)
_KLEIN_9B = _flux2(heads=32, layers=(8, 24), text=3 * 4096)
_KLEIN_4B_ENCODERS = 4_022_468_096, 84_046_115
_KLEIN_9B_ENCODERS = 8_190_735_360, 84_046_115
"""Qwen3 of 4B or 8B, and the autoencoder."""

_QWEN_IMAGE_ENCODERS = 8_292_166_656, 126_892_531
"""Qwen2.5-VL of 7B, and the autoencoder."""

_PRESETS = (
    Preset(
        name="world-tiny",
        family="world",
        transformer=_world((4, 14, 14), heads=4, layers=(3, 3), rank=16),
        patch=1,
        downscale=WorldCodec.downscale,
        side=32,
        text_tokens=24,
        num_steps=20,
    ),
    Preset(
        name="world-small",
        family="world",
        transformer=_world((8, 28, 28), heads=6, layers=(3, 6), rank=32),
        patch=1,
        downscale=WorldCodec.downscale,
        side=64,
        text_tokens=56,
        num_steps=28,
    ),
    _flux1("flux-dev", _flux(), num_steps=28, guidance=3.5),
    _flux1("flux-fill", _flux(in_channels=384), layout="fill", num_steps=50, guidance=30.0),
    _flux1("flux-schnell", _flux(guidance_embeds=False), text_tokens=256, num_steps=4, shifted=False),
    _flux1("flux-kontext", _flux(), num_steps=28, guidance=2.5),
    _flux1("flux-krea", _flux(), num_steps=28, guidance=4.5),
    *(
        Preset(
            name=name,
            family="flux",
            base="flux.2",
            transformer=shape,
            patch=1,
            downscale=16,
            encoders=encoders,
            side=1024,
            text_tokens=512,
            num_steps=num_steps,
            cfg=cfg,
        )
        for name, shape, encoders, num_steps, cfg in (
            ("klein-4b", _KLEIN_4B, _KLEIN_4B_ENCODERS, 4, 1.0),
            ("klein-base-4b", _KLEIN_4B, _KLEIN_4B_ENCODERS, 50, 4.0),
            ("klein-9b", _KLEIN_9B, _KLEIN_9B_ENCODERS, 4, 1.0),
            ("klein-base-9b", _KLEIN_9B, _KLEIN_9B_ENCODERS, 50, 4.0),
        )
    ),
    Preset(
        name="qwen-image-edit",
        family="flux",
        base="qwen-image",
        transformer=_QWEN_IMAGE,
        patch=2,
        downscale=8,
        encoders=_QWEN_IMAGE_ENCODERS,
        side=1024,
        text_tokens=512,
        num_steps=40,
        cfg=4.0,
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


def base_kind_of(folder: Path) -> BaseKind:
    """The kind of base in a folder as diffusers writes it, by the class that its transformer's configuration names."""
    config = folder / "transformer" / "config.json"
    held = json.loads(config.read_text()) if config.is_file() else {}
    return _kind_among(_TRANSFORMERS, held.get("_class_name")) or "flux.1"


def preset_of(folder: Path) -> Preset:
    """The preset of a FLUX.2 klein or Qwen-Image folder, by its shape and by whether it was distilled; one of its own
    for a shape that has none.

    Raises:
        FileNotFoundError: it has no index.
        ValueError: it is another FLUX.2 than klein, whose text encoder is another, or a Qwen-Image with other inputs.
    """
    if not (folder / "model_index.json").is_file():
        raise FileNotFoundError(f"{folder} has no model_index.json: not a whole folder of a base")
    index = json.loads((folder / "model_index.json").read_text())
    held = json.loads((folder / "transformer" / "config.json").read_text())
    pipeline = index.get("_class_name")
    kind = _kind_among(_PIPELINES, pipeline)
    if kind is None:
        raise ValueError(f"{folder} is a {pipeline}: expected one of {', '.join(sum(_PIPELINES.values(), ()))}")
    # The pipeline of the key-value mode is for a distilled klein, and does not say so in its index.
    distilled = index.get("is_distilled", pipeline == "Flux2KleinKVPipeline")
    alike = [each for each in PRESETS.values() if each.base == kind and (each.cfg == 1) == distilled]
    for each in alike:
        if all(held.get(name, each.transformer[name]) == each.transformer[name] for name in SHAPES[kind]):
            return each
    shape = {name: held.get(name, usual) for name, usual in alike[0].transformer.items()}
    shape["out_channels"] = held.get("out_channels") or held["in_channels"]
    return replace(alike[0], name=folder.name, transformer=MappingProxyType(shape))


def _kind_among(classes: Mapping[BaseKind, tuple[str, ...]], name: str | None) -> BaseKind | None:
    return next((kind for kind, names in classes.items() if name in names), None)


_TRANSFORMERS: Mapping[BaseKind, tuple[str, ...]] = MappingProxyType(
    {
        "flux.2": ("Flux2Transformer2DModel", "CoLoGenFlux2Transformer2DModel"),
        "qwen-image": ("QwenImageTransformer2DModel", "CoLoGenQwenImageTransformer2DModel"),
    }
)
_PIPELINES: Mapping[BaseKind, tuple[str, ...]] = MappingProxyType(
    {
        "flux.2": ("Flux2KleinPipeline", "Flux2KleinKVPipeline", "Flux2KleinInpaintPipeline"),
        "qwen-image": ("QwenImagePipeline", "QwenImageEditPipeline", "QwenImageEditPlusPipeline"),
    }
)
