"""DeepLabV3 on a dilated ResNet, from mmsegmentation's own files of weights.

ControlNet++ measures COCO-Stuff with ``deeplabv3_r101-d8_…_coco-stuff164k``, and no library that we depend on reads its
weights. The form is the published configuration's: ResNetV1c with strides 1 2 1 1 and dilations 1 1 2 4, and an ASPP
head with dilations 1 12 24 36.
Depth, widths and the number of classes follow from the shapes of the weights.
Source: Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation (2017).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cologen.datagen.weights import StateDict, fill, named

STRIDES, DILATIONS = (1, 2, 1, 1), (1, 1, 2, 4)
RATES = (1, 12, 24, 36)
EXPANSION = 4
"""Channels that leave a block, to those of its middle."""

Logits = Float[Tensor, "batch classes rows columns"]


def read_deeplab(path: Path) -> DeepLab:
    """The network of a file of mmsegmentation, in evaluation mode and without gradients; what only trains is left out.

    Raises:
        ValueError: it is damaged, or of another network.
    """
    with named(path, "is not a DeepLabV3 of mmsegmentation"):
        content = torch.load(path, map_location="cpu", weights_only=True)
        state: StateDict = content.get("state_dict", content)
        blocks = [_count(state, f"backbone.layer{stage}.") for stage in (1, 2, 3, 4)]
        stem = state["backbone.stem.0.weight"].shape[0]
        width = state["backbone.layer1.0.conv1.weight"].shape[0]
        num_classes, channels = state["decode_head.conv_seg.weight"].shape[:2]
        network = DeepLab(blocks, stem, width, channels, num_classes)
    fill(network, state, path)
    return network.eval().requires_grad_(False)


class DeepLab(nn.Module):
    """Normalised pictures to the logits of each class, an eighth of their size."""

    def __init__(self, blocks: list[int], stem: int, width: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.backbone = _Backbone(blocks, stem, width)
        self.decode_head = _Head(8 * width * EXPANSION, channels, num_classes)

    def forward(self, pictures: Float[Tensor, "batch 3 height width"]) -> Logits:
        """As the class."""
        return self.decode_head(self.backbone(pictures))


class _Backbone(nn.Module):
    """ResNetV1c: three convolutions of 3 x 3 at the bottom; the last two stages dilate in place of halving."""

    def __init__(self, blocks: list[int], stem: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_convolution(3, stem, stride=2), *_convolution(stem, stem), *_convolution(stem, 2 * stem)
        )
        entering = 2 * stem
        for stage, (count, stride, dilation) in enumerate(zip(blocks, STRIDES, DILATIONS, strict=True)):
            middle = width * 2**stage
            first = _Block(entering, middle, stride, max(1, dilation // 2))
            entering = middle * EXPANSION
            rest = (_Block(entering, middle, 1, dilation) for _ in range(count - 1))
            setattr(self, f"layer{stage + 1}", nn.Sequential(first, *rest))

    def forward(self, pictures: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim rows columns"]:
        hidden = F.max_pool2d(self.stem(pictures), 3, stride=2, padding=1)
        for stage in range(4):
            hidden = getattr(self, f"layer{stage + 1}")(hidden)
        return hidden


class _Block(nn.Module):
    """A bottleneck whose middle convolution has the stride and the dilation."""

    def __init__(self, entering: int, middle: int, stride: int, dilation: int) -> None:
        super().__init__()
        leaving = middle * EXPANSION
        self.conv1, self.bn1, _ = _convolution(entering, middle, side=1)
        self.conv2, self.bn2, _ = _convolution(middle, middle, stride=stride, dilation=dilation)
        self.conv3, self.bn3, _ = _convolution(middle, leaving, side=1)
        self.downsample = None
        if entering != leaving or stride != 1:
            self.downsample = nn.Sequential(*_convolution(entering, leaving, side=1, stride=stride)[:2])

    def forward(self, entering: Float[Tensor, "batch dim rows columns"]) -> Float[Tensor, "batch other _rows _columns"]:
        hidden = self.bn1(self.conv1(entering)).relu()
        hidden = self.bn2(self.conv2(hidden)).relu()
        hidden = self.bn3(self.conv3(hidden))
        return (hidden + (entering if self.downsample is None else self.downsample(entering))).relu()


class _Head(nn.Module):
    """ASPP: the mean of the whole picture and four dilated views of it, then one convolution over all of them."""

    def __init__(self, entering: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), _Layer(entering, channels, side=1))
        self.aspp_modules = nn.ModuleList(
            _Layer(entering, channels, side=1 if rate == 1 else 3, dilation=rate) for rate in RATES
        )
        self.bottleneck = _Layer((1 + len(RATES)) * channels, channels, side=3)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)

    def forward(self, hidden: Float[Tensor, "batch dim rows columns"]) -> Logits:
        whole = self.image_pool(hidden).expand(-1, -1, *hidden.shape[-2:])
        views = torch.cat([whole, *(view(hidden) for view in self.aspp_modules)], dim=1)
        return self.conv_seg(self.bottleneck(views))


class _Layer(nn.Module):
    def __init__(self, entering: int, leaving: int, *, side: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv, self.bn, _ = _convolution(entering, leaving, side=side, dilation=dilation)

    def forward(self, hidden: Float[Tensor, "batch dim rows columns"]) -> Float[Tensor, "batch other rows columns"]:
        return self.bn(self.conv(hidden)).relu()


def _convolution(
    entering: int, leaving: int, *, side: int = 3, stride: int = 1, dilation: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
    padding = dilation * (side // 2)
    convolution = nn.Conv2d(entering, leaving, side, stride, padding, dilation, bias=False)
    return convolution, nn.BatchNorm2d(leaving), nn.ReLU(inplace=True)


def _count(state: StateDict, prefix: str) -> int:
    return 1 + max(int(name.removeprefix(prefix).split(".")[0]) for name in state if name.startswith(prefix))
