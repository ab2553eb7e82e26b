"""Packing is FLUX's and loses nothing; ids say where a token stands."""

import pytest
import torch
from diffusers import FluxFillPipeline, FluxPipeline

from cologen.model.tokens import fill_source, fill_target, grid_ids, pack, pack_mask, text_ids, unpack
from tests.model.tiny_flux import autoencoder


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_packing_equals_that_of_flux():
    latents = draws(2, 16, 6, 10)
    assert torch.equal(pack(latents, 2), FluxPipeline._pack_latents(latents, 2, 16, 6, 10))


def test_unpacking_equals_that_of_flux():
    tokens = draws(2, 15, 64)
    assert torch.equal(unpack(tokens, 6, 10, 2), FluxPipeline._unpack_latents(tokens, 48, 80, 8))


@pytest.mark.parametrize(("channels", "patch"), [(16, 2), (48, 1), (3, 4)])
def test_unpack_undoes_pack(channels: int, patch: int):
    latents = draws(2, channels, 8, 12)
    assert torch.equal(unpack(pack(latents, patch), 8, 12, patch), latents)


def test_what_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="5 x 4 do not divide into patches of 2"):
        pack(draws(1, 16, 5, 4), 2)
    with pytest.raises(ValueError, match="6 tokens of patch 2 are not latents of 4 x 4"):
        unpack(draws(1, 6, 64), 4, 4, 2)
    with pytest.raises(ValueError, match="24 x 16 pixels does not divide into tokens of 16"):
        pack_mask(draws(1, 1, 24, 16), 8, 2)


def test_target_ids_equal_those_of_flux():
    assert torch.equal(grid_ids(3, 5), FluxPipeline._prepare_latent_image_ids(1, 3, 5, "cpu", torch.float32))


def test_a_source_of_the_same_size_stands_on_the_target_in_another_picture():
    ids, target = grid_ids(3, 5, source=2, target=(3, 5)), grid_ids(3, 5)
    assert torch.equal(ids[:, 1:], target[:, 1:])
    assert (ids[:, 0] == 2).all()


def test_a_source_of_another_size_covers_the_same_square():
    assert grid_ids(2, 4, source=1, target=(4, 4)).reshape(2, 4, 3)[:, 0, 1].tolist() == [0.5, 2.5]
    assert grid_ids(8, 4, source=1, target=(4, 4)).reshape(8, 4, 3)[:2, 0, 1].tolist() == [-0.25, 0.25]
    for rows in (2, 3, 7):
        ids = grid_ids(rows, 4, source=1, target=(5, 4))
        assert ids[:, 1].mean().item() == pytest.approx(2.0)  # the same middle
        assert torch.equal(ids[:, 2], grid_ids(rows, 4)[:, 2])


def test_text_stands_nowhere():
    assert torch.equal(text_ids(7), torch.zeros(7, 3))


def test_masks_are_packed_as_fill_packs_them(fill: FluxFillPipeline):
    mask = (draws(2, 1, 48, 80) > 0).float()
    packed, _ = fill.prepare_mask_latents(
        mask, draws(2, 16, 6, 10), 2, 16, 1, 48, 80, torch.float32, torch.device("cpu"), None
    )
    assert torch.equal(pack_mask(mask, 8, 2), packed)


def test_the_masked_latent_and_mask_are_laid_out_as_fill_reads_them(fill: FluxFillPipeline):
    noisy, raw, mask = pack(draws(2, 16, 6, 10), 2), draws(2, 16, 6, 10, seed=1), (draws(2, 1, 48, 80) > 0).float()
    packed, masked = fill.prepare_mask_latents(mask, raw, 2, 16, 1, 48, 80, torch.float32, torch.device("cpu"), None)
    normalised = (raw - fill.vae.config.shift_factor) * fill.vae.config.scaling_factor
    target = fill_target(noisy, pack(normalised, 2), pack_mask(mask, 8, 2))
    assert target.shape == (2, 15, 384)
    assert torch.equal(target, torch.cat((noisy, masked, packed), dim=2))


def test_a_source_in_fills_layout_is_itself_twice_with_nothing_hidden():
    source = draws(2, 15, 64)
    layout = fill_source(source, 256)
    assert layout.shape == (2, 15, 384)
    assert torch.equal(layout[..., :64], source)
    assert torch.equal(layout[..., 64:128], source)
    assert not layout[..., 128:].any()


@pytest.fixture(scope="module")
def fill() -> FluxFillPipeline:
    """Fill's own pipeline around a tiny autoencoder of FLUX's form, and nothing else."""
    return FluxFillPipeline(
        scheduler=None,
        vae=autoencoder(),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
        transformer=None,
    )
