"""Qwen-Image's codec, from a folder that diffusers wrote: its latents and tokens are those of the Edit pipeline."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageEditPlusPipeline

from cologen.model.codecs import Codec
from cologen.model.qwen_image_codec import QwenImageCodec
from cologen.model.tokens import pack
from tests.model.tiny_qwen import autoencoder


@pytest.fixture(scope="module")
def stock() -> Any:
    parts: dict[str, Any] = dict.fromkeys(("text_encoder", "tokenizer", "processor", "transformer"))
    return QwenImageEditPlusPipeline(scheduler=FlowMatchEulerDiscreteScheduler(), vae=autoencoder(), **parts)


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 32)])
def test_latents_and_tokens_are_the_stock_pipelines(stock: Any, height: int, width: int, tmp_path: Path) -> None:
    stock.vae.save_pretrained(tmp_path / "vae")
    codec = QwenImageCodec.from_folder(tmp_path, dtype=torch.float32)
    assert isinstance(codec, Codec)
    assert (codec.downscale, codec.latent_channels) == (8, 2)
    pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = codec.encode(pictures)
    with torch.no_grad():
        expected = stock._encode_vae_image(pictures[:, :, None], None)
    assert torch.equal(found, expected[:, :, 0])
    tokens = stock._pack_latents(expected, 2, 2, height // 8, width // 8)
    assert torch.equal(pack(found, 2), tokens)

    unpacked = stock._unpack_latents(tokens, height, width, 8)
    mean, deviation = (torch.tensor(each).view(1, 2, 1, 1, 1) for each in ([0.3, -0.2], [1.5, 0.7]))
    with torch.no_grad():
        decoded = stock.vae.decode(unpacked * deviation + mean).sample[:, :, 0]
    assert torch.equal(codec.decode(found), decoded)


def test_drawn_from_the_posterior(stock: Any) -> None:
    codec, picture = QwenImageCodec(stock.vae), torch.zeros(1, 3, 16, 16)
    mode = codec.encode(picture)
    assert torch.equal(codec.encode(picture, torch.zeros_like(mode)), mode)
    assert not torch.equal(codec.encode(picture, torch.ones_like(mode)), mode)
