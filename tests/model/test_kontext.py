"""FLUX.1 Kontext sees a context picture where we put a first source."""

import pytest
import torch
from diffusers import FluxKontextPipeline

from cologen.model.presets import preset
from cologen.model.tokens import grid_ids


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (3, 2)])
def test_position_ids_are_those_of_a_first_source(rows: int, columns: int) -> None:
    of_kontext = FluxKontextPipeline._prepare_latent_image_ids(1, rows, columns, torch.device("cpu"), torch.float32)
    assert torch.equal(of_kontext, grid_ids(rows, columns))
    of_kontext[..., 0] = 1  # as its pipeline does for the context
    assert torch.equal(of_kontext, grid_ids(rows, columns, source=1))


@pytest.mark.parametrize("name", ["flux-kontext", "flux-krea"])
def test_it_has_the_shape_of_dev(name: str) -> None:
    assert preset(name).transformer == preset("flux-dev").transformer
    assert preset(name).base == "flux.1"
