"""Depth: normalised maps, and a small DPT from a folder as transformers writes it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DPTConfig, DPTForDepthEstimation

from cologen.datagen.control.depth import load_dpt, normalise
from cologen.datagen.control.maps import Images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 16, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
        use_auxiliary_head=False,
    )
    path = tmp_path_factory.mktemp("dpt")
    DPTForDepthEstimation(config).save_pretrained(path)
    return path


def test_nearest_is_white_and_farthest_black() -> None:
    maps = normalise(torch.tensor([[[2.0, 4.0], [3.0, 6.0]], [[5.0, 5.0], [5.0, 5.0]]]))
    assert torch.equal(maps[0, 1], torch.tensor([[0.0, 0.5], [0.25, 1.0]]))
    assert torch.equal(maps[1], torch.zeros(3, 2, 2))
    assert torch.equal(normalise(maps[:, 0]), maps)


def test_maps_fit_their_pictures_and_span_the_greys(folder: Path, pictures: Images) -> None:
    dpt = load_dpt(folder, device="cpu")
    maps = dpt(pictures)
    assert maps.shape == pictures.shape
    assert torch.equal(maps.amin(dim=(1, 2, 3)), torch.zeros(3))
    assert torch.equal(maps.amax(dim=(1, 2, 3)), torch.ones(3))
    assert torch.allclose(dpt(pictures[1:2]), maps[1:2], atol=1e-4)


def test_at_the_network_s_own_size_it_is_the_network(folder: Path) -> None:
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = DPTForDepthEstimation.from_pretrained(folder)(pixel_values=(picture - 0.5) / 0.5).predicted_depth
    assert torch.allclose(load_dpt(folder, device="cpu")(picture), normalise(expected), atol=1e-4)


def test_what_is_no_checkpoint_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint folder at .*nowhere"):
        load_dpt(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is not a checkpoint of DPT"):
        load_dpt(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    state = load_file(folder / "model.safetensors")
    removed = sorted(state)[0]
    save_file(
        {name: value for name, value in state.items() if name != removed},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ValueError, match=f"lacks weights of DPT, such as '{removed}'"):
        load_dpt(tmp_path)
