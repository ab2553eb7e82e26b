"""FLUX.1 Kontext sees a context picture where we put a first source, and its folder is told from dev's by its index."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import FluxKontextPipeline

from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import preset
from cologen.model.tokens import grid_ids
from tests.model.test_pipeline import edited, folder, quiet, transformer_of

__all__ = ["folder"]


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


def test_its_folder_has_its_usual_guidance_and_keeps_it(folder: Path, tmp_path: Path) -> None:
    """By the class in its index; Krea's index names dev's class, so that its guidance has to be given."""
    index = json.loads((folder / "model_index.json").read_text())
    kontext = tmp_path / "kontext"
    kontext.mkdir()
    for part in folder.iterdir():
        (kontext / part.name).symlink_to(part)
    (kontext / "model_index.json").unlink()
    (kontext / "model_index.json").write_text(json.dumps({**index, "_class_name": "FluxKontextPipeline"}))
    dev = quiet(CoLoGenPipeline.from_pretrained(folder, transformer=transformer_of()))
    ours = quiet(CoLoGenPipeline.from_pretrained(kontext, transformer=transformer_of()))
    assert torch.equal(edited(ours), edited(dev, guidance_scale=2.5))
    assert not torch.equal(edited(ours), edited(dev))
    ours.save_pretrained(tmp_path / "saved")
    assert torch.equal(edited(quiet(CoLoGenPipeline.from_pretrained(tmp_path / "saved"))), edited(ours))
    assert torch.equal(edited(quiet(CoLoGenPipeline.from_pipe(ours))), edited(ours))
    assert CoLoGenPipeline.from_pipe(FluxKontextPipeline.from_pretrained(kontext))._usual.guidance == 2.5
    krea = quiet(CoLoGenPipeline.from_pretrained(folder, transformer=transformer_of(), usual_guidance=4.5))
    assert torch.equal(edited(krea), edited(dev, guidance_scale=4.5))
