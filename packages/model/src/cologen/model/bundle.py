"""Builds a model from a preset, with its codec and text encoder: initialised from a seed, or loaded from files.

    bundle = build(preset("world-tiny"), seed=0)
    bundle = load(preset("flux-dev"), Path("FLUX.1-dev"))  # a folder as diffusers writes it

A trainer then computes ``pack(bundle.codec.encode(images), preset.patch)``, and a pipeline the inverse.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from cologen.model.adapter_index import SHAPES, BaseKind
from cologen.model.codecs import Codec, FluxCodec
from cologen.model.files import damage_named, read_whole
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.flux2 import CoLoGenFlux2Transformer2DModel
from cologen.model.flux2_codec import Flux2Codec
from cologen.model.flux2_text import Flux2TextEncoder
from cologen.model.presets import Preset
from cologen.model.qwen_image import CoLoGenQwenImageTransformer2DModel
from cologen.model.qwen_image_codec import QwenImageCodec
from cologen.model.qwen_image_text import QwenImageTextEncoder
from cologen.model.text import FluxTextEncoder, TextEncoder
from cologen.model.transformer import WovenTransformer
from cologen.model.world_codec import WorldCodec
from cologen.model.world_text import WorldTextEncoder

_SHAPE = ("out_channels", "guidance_embeds", "axes_dims_rope")
"""What a folder's configuration has to share with the preset, beside what an adapter has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A transformer with its codec and text encoder, all on one device."""

    preset: Preset
    transformer: WovenTransformer
    codec: Codec
    text: TextEncoder


def build(
    preset: Preset,
    *,
    seed: int = 0,
    weights: Path | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Bundle:
    """A model of the synthetic dataset without experts, initialised from ``seed``, or with a base's ``weights``
    (safetensors).

    The codec stays in float32, where it is exact; transformer and text are in ``dtype``.

    Raises:
        FileNotFoundError: the weights are not there.
        ValueError: the preset is not one of the synthetic dataset, or the weights are damaged or of another model.
    """
    if preset.family != "world":
        raise ValueError(f"{preset.name} is not drawn from a seed: give `load` its folder")
    with torch.device("meta"):
        transformer = CoLoGenTransformer2DModel(**preset.transformer)
    transformer.to_empty(device="cpu")
    if weights is None:
        _draw(transformer, seed)
    else:
        _fill(transformer, weights)
    nn.Module.to(transformer, device, dtype)
    return Bundle(
        preset=preset,
        transformer=transformer,
        codec=WorldCodec().to(device),
        text=WorldTextEncoder(preset.text_tokens).to(device, dtype),
    )


def load(
    preset: Preset,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.bfloat16,
    tiling: bool = False,
    slicing: bool = False,
    text: TextEncoder | None = None,
) -> Bundle:
    """A base without experts, from a folder as diffusers writes it; nothing is fetched.

    Args:
        text: what encodes prompts in place of the folder's text encoders, which then are not read.

    Raises:
        FileNotFoundError: the folder lacks one of its parts.
        ValueError: the preset is not kept in a folder, the transformer there has another shape, or a file is damaged.
    """
    if preset.family != "flux":
        raise ValueError(f"{preset.name} is not kept in a folder: give `build` a seed or weights")
    if not (folder / "transformer" / "config.json").is_file():
        raise FileNotFoundError(f"{folder} has no transformer/config.json: not a whole folder of a base")
    _check_shape(preset, folder / "transformer")
    # Small parts first, so that a missing one is reported before 24 GB are read.
    codec_kind, _, transformer_kind = _PARTS[preset.base]
    codec = codec_kind.from_folder(folder, dtype=dtype, tiling=tiling, slicing=slicing)
    encoder: TextEncoder = load_text(preset, folder, dtype=dtype).to(device) if text is None else text
    rank = preset.transformer["rank"]
    transformer = read_whole(transformer_kind, folder / "transformer", torch_dtype=dtype, rank=rank)
    nn.Module.to(transformer, device)
    return Bundle(preset=preset, transformer=transformer, codec=codec.to(device), text=encoder)


def load_text(preset: Preset, folder: Path, *, dtype: torch.dtype = torch.bfloat16) -> Any:
    """The text encoders alone of a base's folder: ``text.TextEncoder``, and a torch module.

    Raises:
        FileNotFoundError, ValueError: as ``load``.
    """
    return _PARTS[preset.base][1].from_folder(folder, dtype=dtype, num_tokens=preset.text_tokens)


def text_folders(preset: Preset) -> tuple[str, ...]:
    """The names of the folders that text encoders and tokenizers are read from, in a base's folder."""
    return _PARTS[preset.base][1].folders


_PARTS: Mapping[BaseKind, tuple[Any, Any, type[WovenTransformer]]] = MappingProxyType(
    {
        "flux.1": (FluxCodec, FluxTextEncoder, CoLoGenTransformer2DModel),
        "flux.2": (Flux2Codec, Flux2TextEncoder, CoLoGenFlux2Transformer2DModel),
        "qwen-image": (QwenImageCodec, QwenImageTextEncoder, CoLoGenQwenImageTransformer2DModel),
    }
)
"""Of each kind of base: codec, text encoder and transformer."""

_SMALL = re.compile(r"proj_out\.weight|norm_out\.linear\.weight|.*\.(norm|norm1|norm1_context)\.linear\.weight")
"""The last layer and the modulations (scale, shift, gate) of every block."""


@torch.no_grad()
def _draw(transformer: CoLoGenTransformer2DModel, seed: int) -> None:
    """Initialise each weight from the seed and its own name: Glorot uniform, biases zero, norms one.

    The weights that ``_SMALL`` names start at a tenth of that, so that each block is near the identity, as in DiT
    (Peebles & Xie 2023). DiT's zeros would make a fresh model ignore its inputs.
    """
    for name, weight in transformer.named_parameters():
        if weight.ndim < 2:
            weight.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=7).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
        bound = math.sqrt(6 / sum(weight.shape)) * (0.1 if _SMALL.fullmatch(name) else 1.0)
        weight.uniform_(-bound, bound, generator=generator)


def _fill(transformer: CoLoGenTransformer2DModel, weights: Path) -> None:
    if not weights.is_file():
        raise FileNotFoundError(f"no weights at {weights}")
    with damage_named(weights):
        given = load_file(weights)
    expected = {name: weight for name, weight in transformer.state_dict().items() if ".prw." not in name}
    problems = [f"{name} is missing" for name in expected.keys() - given.keys()]
    problems += [f"{name} is not expected" for name in given.keys() - expected.keys()]
    problems += [
        f"{name} is {tuple(given[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected.keys() & given.keys()
        if given[name].shape != expected[name].shape
    ]
    if problems:
        raise ValueError(f"{weights} is of another model: {'; '.join(sorted(problems)[:3])} ({len(problems)} in all)")
    transformer.load_state_dict(given, strict=False)


def _check_shape(preset: Preset, folder: Path) -> None:
    """Compare what the folder's configuration says with the preset, before weights are read."""
    found = _resolved(json.loads((folder / "config.json").read_text()), preset.base)
    asked = _resolved(preset.transformer, preset.base)
    differing = [f"{name} is {found[name]}, expected {asked[name]}" for name in asked if found[name] != asked[name]]
    if differing:
        raise ValueError(f"{folder} is not {preset.name}: {'; '.join(differing)}")


def _resolved(config: Mapping[str, Any], base: BaseKind) -> dict[str, Any]:
    """The shape that a configuration describes, with the defaults that FLUX's own files leave out."""
    shape = {name: config.get(name) for name in (*SHAPES[base], *_SHAPE)}
    shape["out_channels"] = config.get("out_channels") or config.get("in_channels")
    shape["axes_dims_rope"] = tuple(config.get("axes_dims_rope") or _AXES[base])
    if base == "flux.2":
        shape["mlp_ratio"] = config.get("mlp_ratio") or 3.0
    return shape


_AXES: Mapping[BaseKind, tuple[int, ...]] = MappingProxyType(
    {"flux.1": (16, 56, 56), "flux.2": (32, 32, 32, 32), "qwen-image": (16, 56, 56)}
)
