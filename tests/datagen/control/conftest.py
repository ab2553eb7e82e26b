"""Networks of random weights, saved under the names of the published checkpoints, and pictures to try them on."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cologen.datagen.control.annotators import annotator
from cologen.datagen.control.maps import Images


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ControlNetHED.pth``, ``sk_model.pth`` and ``sk_model2.pth``."""
    folder = tmp_path_factory.mktemp("annotators")
    torch.manual_seed(0)
    _save(annotator("hed").ControlNetHED_Apache2(), folder / "ControlNetHED.pth")
    for name in ("sk_model.pth", "sk_model2.pth"):
        _save(annotator("lineart").Generator(3, 1, 3), folder / name)
    return folder


def _save(network: nn.Module, path: Path) -> None:
    """Default weights shrink what they see; these keep its size, so that pictures differ in the maps."""
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4 and "norm" not in name and "projection" not in name:
            nn.init.kaiming_normal_(parameter)
    torch.save(network.state_dict(), path)


@pytest.fixture
def pictures() -> Images:
    """Three of 128 x 192 in whole grey levels: noise, blocks and a slope."""
    return pictures_of(128, 192)


def pictures_of(height: int, width: int) -> Images:
    noise = torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))
    blocks = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(2))
    blocks = blocks.repeat_interleave(-(-height // 4), 1).repeat_interleave(-(-width // 4), 2)[:, :height, :width]
    slope = torch.linspace(0, 1, width).expand(3, height, width)
    return whole(torch.stack([noise, blocks, slope]))


def whole(images: Tensor) -> Tensor:
    return (images * 255).round() / 255
