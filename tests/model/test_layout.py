"""A token's layout follows from shapes alone: FLUX's, Fill's or that of the small bases."""

from typing import Any

import pytest
import torch

from cologen.model.codecs import FluxCodec
from cologen.model.conditions import HOLE, Size
from cologen.model.layout import Layout
from cologen.model.tokens import fill_target, pack, pack_mask
from cologen.model.world_codec import WorldCodec
from tests.model.tiny import tiny
from tests.model.tiny_flux import autoencoder

FLUX: Any = {"in_channels": 64, "out_channels": 64}
FILL: Any = {"in_channels": 384, "out_channels": 64}


@pytest.fixture(scope="module")
def codec() -> FluxCodec:
    return FluxCodec(autoencoder())


def test_shapes_tell_the_layout(codec: FluxCodec):
    assert Layout.of(tiny(**FLUX), codec) == Layout(channels=16, patch=2, downscale=8, fill=False)
    assert Layout.of(tiny(**FILL), codec) == Layout(channels=16, patch=2, downscale=8, fill=True)
    world = Layout.of(tiny(in_channels=48), WorldCodec())
    assert world == Layout(channels=48, patch=1, downscale=4, fill=False)
    assert (world.multiple, Layout.of(tiny(**FLUX), codec).multiple) == (4, 16)


def test_a_codec_of_another_model_is_refused(codec: FluxCodec):
    with pytest.raises(ValueError, match="tokens of 8 channels in and 8 out do not fit latents of 16 channels"):
        Layout.of(tiny(), codec)


def test_latents_are_tokens_put_back():
    layout, size = Layout(channels=16, patch=2, downscale=8, fill=False), Size(height=32, width=48)
    latents = torch.randn(layout.latent_shape(2, size))
    assert latents.shape == (2, 16, 4, 6)
    assert torch.equal(layout.latents(pack(latents, 2), size), latents)
    assert layout.ids(size).shape == (6, 3)


def test_a_source_serves_its_batch_and_stands_on_the_result(codec: FluxCodec):
    layout = Layout.of(tiny(**FILL), codec)
    picture = torch.rand(1, 3, 16, 32)
    source = layout.source(codec, picture, 2, Size(height=32, width=64), 3, torch.empty(0))
    assert source.tokens.shape == (3, 2, 384)
    assert source.ids.tolist() == [[2, 0.5, 0.5], [2, 0.5, 2.5]]
    assert not source.tokens[..., 128:].any()


def test_fill_reads_the_masked_picture_and_the_mask(codec: FluxCodec):
    layout = Layout.of(tiny(**FILL), codec)
    masked, mask = torch.full((1, 3, 32, 32), HOLE), (torch.rand(1, 1, 32, 32) > 0.5).float()
    noisy = torch.randn(2, 4, 64)
    target = torch.cat((noisy, layout.beside(codec, masked, mask, noisy)), dim=2)
    latents = pack(codec.encode(masked), 2).expand(2, -1, -1)
    assert torch.equal(target, fill_target(noisy, latents, pack_mask(mask, 8, 2).expand(2, -1, -1)))
