"""Laws of a batch's way through a network: sizes and channels, no neighbours, no autocast."""

import pytest
import torch
from torch import Tensor

from cologen.datagen.control.maps import extract

CPU = torch.device("cpu")


def _mean(images: Tensor) -> Tensor:
    assert images.shape[-2] % 16 == images.shape[-1] % 16 == 0
    assert images.dtype == torch.float32
    return images.mean(1, keepdim=True)


@pytest.mark.parametrize(("height", "width"), [(32, 16), (31, 17), (1, 50)])
def test_maps_lie_on_their_pictures(height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width)
    maps = extract(_mean, images, CPU, 16)
    assert torch.equal(maps, images.mean(1, keepdim=True).expand_as(images))


def test_the_caller_s_precision_is_not_the_network_s() -> None:
    layer = torch.nn.Conv2d(3, 1, 1)
    images = torch.rand(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = extract(layer, images, CPU, 16)
    assert torch.equal(maps, extract(layer, images, CPU, 16))
    assert maps.dtype == torch.float32
    assert not maps.requires_grad


def test_on_the_cpu_pictures_go_one_by_one() -> None:
    seen: list[int] = []

    def network(images: Tensor) -> Tensor:
        seen.append(len(images))
        return images[:, :1]

    extract(network, torch.rand(3, 3, 16, 16), CPU, 16)
    assert seen == [1, 1, 1]
