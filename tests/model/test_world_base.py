import pytest
import torch

from cologen.model.bundle import build
from cologen.model.flow import interpolate, velocity
from cologen.model.presets import preset
from cologen.model.tokens import grid_ids, pack, text_ids
from cologen.model.world_base import packaged_base


def test_the_base_that_comes_along_fits_its_preset_and_has_learned_something() -> None:
    """On a plain green picture its velocity is far nearer to the truth than that of a fresh model."""
    path = packaged_base("world-tiny")
    assert path.stat().st_size < 16 * 2**20
    trained, fresh = build(preset("world-tiny"), weights=path), build(preset("world-tiny"))
    picture = torch.full((1, 3, 32, 32), -0.5)
    picture[:, 1] = 0.2
    clean = pack(trained.codec.encode(picture), 1)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    time = torch.tensor([0.7])
    prompts = trained.text.encode(["a small red ball on the grass"])
    inputs = {
        "hidden_states": interpolate(clean, noise, time),
        "encoder_hidden_states": prompts.embeds,
        "pooled_projections": prompts.pooled,
        "timestep": time,
        "img_ids": grid_ids(8, 8),
        "txt_ids": text_ids(prompts.embeds.shape[1]),
    }
    with torch.no_grad():
        errors = [
            float((bundle.transformer(**inputs).sample - velocity(clean, noise)).square().mean())
            for bundle in (trained, fresh)
        ]
    assert errors[0] < 0.5 * errors[1]


def test_a_preset_without_a_base_says_how_to_make_one() -> None:
    with pytest.raises(FileNotFoundError, match=r"there is world-tiny\).*recipe that ends in -base"):
        packaged_base("world-small")
