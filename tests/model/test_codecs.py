"""Codecs give latents of about unit variance and the picture back; FLUX's is FLUX's."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL

from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.model.codecs import Codec, FluxCodec
from cologen.model.world_codec import WorldCodec
from tests.model.tiny_flux import autoencoder


def pictures(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def world_pictures(num: int, side: int) -> torch.Tensor:
    """Scenes that the spreads were not measured on."""
    drawn = [torch.from_numpy(render(sample_scene(1729, i), side, side).picture) for i in range(num)]
    return torch.stack(drawn).permute(0, 3, 1, 2) / 127.5 - 1


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    return autoencoder()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (36, 20)])
def test_the_worlds_codec_loses_nothing(height: int, width: int):
    codec, images = WorldCodec(), pictures(3, 3, height, width)
    latents = codec.encode(images)
    assert latents.shape == (3, codec.latent_channels, height // codec.downscale, width // codec.downscale)
    assert (codec.decode(latents) - images).abs().max() < 2e-6


def test_the_worlds_codec_is_exact_to_the_precision_it_is_kept_in():
    codec, images = WorldCodec().double(), pictures(1, 3, 32, 32).double()
    basis = codec.basis
    # The basis was rounded to float32, so it is orthonormal to that.
    assert (basis @ basis.T - torch.eye(48)).abs().max() < 1e-6
    assert (codec.decode(codec.encode(images)) - images).abs().max() < 2e-6


def test_the_first_channel_is_the_mean_of_the_patch():
    codec = WorldCodec()
    grey = torch.full((1, 3, 4, 4), 0.5)
    assert codec.encode(grey)[0, 0].item() == pytest.approx(
        (0.5 * 48**0.5 - codec.mean[0].item()) / codec.spread[0].item()
    )
    assert (codec.encode(grey) * codec.spread + codec.mean)[0, 1:].abs().max() < 1e-6


@pytest.mark.parametrize("side", [32, 64])
def test_the_worlds_latents_have_unit_variance_over_all_channels_and_fine_detail_less(side: int):
    codec = WorldCodec()
    latents = codec.encode(world_pictures(60, side))
    assert 0.7 < latents.var(dim=(0, 2, 3)).mean() < 1.4
    # Divisors are √(spread · mean spread), deviations √(spread / mean spread): their ratio is the mean spread.
    mean_spread = codec.spread.square().mean().sqrt()
    deviation = latents.std(dim=(0, 2, 3)) / (codec.spread.flatten() / mean_spread)
    assert (deviation > 0.5).all()
    assert (deviation < 2).all()
    assert latents.mean(dim=(0, 2, 3)).abs().max() < 0.5


def test_the_worlds_codec_refuses_a_side_that_does_not_divide():
    with pytest.raises(ValueError, match="multiples of 4 pixels, got 30 x 32"):
        WorldCodec().encode(pictures(1, 3, 30, 32))


def test_the_worlds_codec_has_nothing_to_train_or_to_save():
    assert not list(WorldCodec().parameters())
    assert not WorldCodec().state_dict()


def test_both_are_codecs(vae: AutoencoderKL):
    assert isinstance(WorldCodec(), Codec)
    assert isinstance(FluxCodec(vae), Codec)


def test_flux_latents_are_the_normalised_mode(vae: AutoencoderKL):
    codec, images = FluxCodec(vae), pictures(2, 3, 32, 48)
    latents = codec.encode(images)
    assert latents.shape == (2, codec.latent_channels, 32 // codec.downscale, 48 // codec.downscale)
    assert (codec.downscale, codec.latent_channels) == (8, 16)
    assert torch.equal(latents, (vae.encode(images).latent_dist.mode() - 0.1159) * 0.3611)
    assert torch.equal(latents, codec.encode(images))


def test_draws_make_a_sample_of_the_posterior(vae: AutoencoderKL):
    codec, images = FluxCodec(vae), pictures(1, 3, 32, 32)
    noise = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    posterior = vae.encode(images).latent_dist
    assert torch.equal(codec.encode(images, noise), (posterior.mean + posterior.std * noise - 0.1159) * 0.3611)
    assert torch.equal(codec.encode(images, torch.zeros_like(noise)), codec.encode(images))


def test_flux_pictures_are_what_the_autoencoder_decodes(vae: AutoencoderKL):
    latents = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(FluxCodec(vae).decode(latents), vae.decode(latents / 0.3611 + 0.1159).sample)


def test_the_autoencoder_is_frozen_and_gradients_still_reach_the_latents(vae: AutoencoderKL):
    codec = FluxCodec(vae)
    assert not any(weight.requires_grad for weight in codec.parameters())
    latents = torch.zeros(1, 16, 4, 4, requires_grad=True)
    codec.decode(latents).sum().backward()
    assert latents.grad is not None


def test_slicing_changes_memory_and_not_pictures(vae: AutoencoderKL):
    latents = torch.randn(3, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    whole = FluxCodec(vae).decode(latents)
    sliced = FluxCodec(vae, slicing=True, tiling=True)
    assert vae.use_slicing
    assert vae.use_tiling
    assert (sliced.decode(latents) - whole).abs().max() < 1e-5
    vae.disable_slicing()
    vae.disable_tiling()


def test_a_folder_round_trips(vae: AutoencoderKL, tmp_path: Path):
    vae.save_pretrained(tmp_path / "vae")
    codec = FluxCodec.from_folder(tmp_path, dtype=torch.float32)
    images = pictures(1, 3, 32, 32)
    assert torch.equal(codec.encode(images), FluxCodec(vae).encode(images))
    assert FluxCodec.from_folder(tmp_path).encode(images).dtype == torch.bfloat16


def test_a_folder_without_an_autoencoder_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="has no vae"):
        FluxCodec.from_folder(tmp_path)
