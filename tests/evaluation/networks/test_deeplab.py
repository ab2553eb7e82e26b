"""DeepLabV3: torchvision's dilated ResNet with the same weights, and the head written out a second time."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet50

from cologen.evaluation.networks.deeplab import DeepLab, read_deeplab
from cologen.evaluation.networks.segmenter import load_segmenter
from tests.evaluation.tiny_networks import pictures_of

BLOCKS = [2, 2, 3, 2]


def random_weights(network: nn.Module) -> None:
    """Statistics too, as after a training."""
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
        elif value.is_floating_point() and value.ndim < 2:
            value.normal_(0.3, 0.2, generator=generator)


@pytest.fixture(scope="module")
def network() -> DeepLab:
    torch.manual_seed(0)
    made = DeepLab(BLOCKS, 4, 4, 6, 5).eval()
    random_weights(made)
    return made


def written(network: DeepLab, path: Path) -> Path:
    """As mmsegmentation publishes: beside the weights what the run was, and a head that only trained."""
    auxiliary = {"auxiliary_head.conv_seg.weight": torch.zeros(5, 3, 1, 1)}
    torch.save({"meta": {"CLASSES": ["sky", "sea"]}, "state_dict": network.state_dict() | auxiliary}, path)
    return path


def test_the_file_s_shapes_say_what_the_network_is(network: DeepLab, tmp_path: Path) -> None:
    read = read_deeplab(written(network, tmp_path / "deeplab.pth"))
    pictures = torch.randn(2, 3, 96, 64)
    with torch.inference_mode():
        assert torch.equal(read(pictures), network(pictures))
        assert read(pictures).shape == (2, 5, 12, 8)


def test_the_backbone_is_torchvision_s_dilated_resnet() -> None:
    """A ResNet-50 with strides given up for dilation, behind a stem of three convolutions."""
    torch.manual_seed(0)
    mine = DeepLab([3, 4, 6, 3], 32, 64, 4, 3).eval()
    random_weights(mine)
    theirs = resnet50(weights=None, replace_stride_with_dilation=[False, True, True]).eval()
    state = {name: value for name, value in mine.backbone.state_dict().items() if not name.startswith("stem.")}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected and {name.split(".")[0] for name in missing} == {"conv1", "bn1", "fc"}
    pictures = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        hidden = theirs.maxpool(mine.backbone.stem(pictures))
        expected = theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(hidden))))
        assert torch.allclose(mine.backbone(pictures), expected, rtol=1e-4, atol=1e-3 * float(expected.abs().max()))


def test_the_head_sees_the_whole_and_four_dilations(network: DeepLab) -> None:
    state = network.decode_head.state_dict()
    hidden = torch.randn(1, 128, 9, 7)

    def layer(name: str, values: Tensor, **options: int) -> Tensor:
        values = F.conv2d(values, state[f"{name}.conv.weight"], **options)  # type: ignore[arg-type]
        mean, variance = state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"]
        values = (values - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return (values * state[f"{name}.bn.weight"][:, None, None] + state[f"{name}.bn.bias"][:, None, None]).relu()

    whole = layer("image_pool.1", hidden.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, 9, 7)
    views = [layer("aspp_modules.0", hidden)]
    views += [
        layer(f"aspp_modules.{place}", hidden, padding=rate, dilation=rate)
        for place, rate in enumerate((12, 24, 36), start=1)
    ]
    merged = layer("bottleneck", torch.cat([whole, *views], dim=1), padding=1)
    expected = F.conv2d(merged, state["conv_seg.weight"], state["conv_seg.bias"])
    with torch.inference_mode():
        assert torch.allclose(network.decode_head(hidden), expected, atol=1e-4)


def test_it_segments(network: DeepLab, tmp_path: Path) -> None:
    segmenter = load_segmenter("deeplab", written(network, tmp_path / "deeplab.pth"), torch.device("cpu"))
    found = segmenter.read(pictures_of((70, 50)))[0]
    assert found.shape == (50, 70) and set(np.unique(found)) <= set(range(5))
    assert "sha256:" in segmenter.identity


def test_other_files_are_refused(sources: dict[str, str], tmp_path: Path, network: DeepLab) -> None:
    with pytest.raises(ValueError, match=r"sk_model.pth is not a DeepLabV3 of mmsegmentation"):
        read_deeplab(Path(sources["lineart"]) / "sk_model.pth")
    state = network.state_dict()
    del state["decode_head.bottleneck.conv.weight"]
    torch.save({"state_dict": state}, tmp_path / "half.pth")
    with pytest.raises(ValueError, match=r"lacks 1 weights of .* 'decode_head.bottleneck.conv.weight'"):
        read_deeplab(tmp_path / "half.pth")
