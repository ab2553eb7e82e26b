from pathlib import Path

import numpy as np
import pytest
import torch

from cologen.evaluation.benchmarks import controlnet_files as files


def test_edges_of_both_detectors_are_white_on_black() -> None:
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:, 32:] = 255
    for found in (files.kornia_edges(picture), files.opencv_edges(picture)):
        assert found.dtype == np.uint8 and set(np.unique(found)) == {0, 255}
        assert not found[:, :28].any() and not found[:, 36:].any(), "at the step alone"


def test_maps_are_pictures_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(files.grey(files.shown(levels)), levels)


@pytest.mark.parametrize("network", ["hed", "lineart"])
def test_a_networks_lines_are_cut_to_eight_bits(
    network: files.Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the protocol stores them: 0.999 of 255 is 254."""
    monkeypatch.setattr(files, "_extractor", lambda _network, _weights: lambda image: 0.999 * image.clamp(0, 1))
    picture = np.full((32, 24, 3), 255, dtype=np.uint8)
    picture[:, :12] = 100
    found = files.extracted(network, tmp_path, picture)
    assert found.shape == (32, 24) and set(np.unique(found)) == {99, 254}


@pytest.mark.slow
@pytest.mark.parametrize("network", ["hed", "lineart"])
def test_real_networks_draw_lines_of_the_pictures_size(network: files.Network, tmp_path: Path) -> None:
    auxiliary = pytest.importorskip(f"controlnet_aux.{network}")
    torch.manual_seed(0)
    made = auxiliary.ControlNetHED_Apache2() if network == "hed" else auxiliary.Generator(3, 1, 3)
    torch.save(made.state_dict(), tmp_path / "weights.pth")
    picture = np.random.default_rng(1).integers(0, 256, (40, 36, 3), dtype=np.uint8)
    found = files.extracted(network, tmp_path / "weights.pth", picture)
    assert found.shape == (40, 36) and found.dtype == np.uint8
    assert np.array_equal(found, files.extracted(network, tmp_path / "weights.pth", picture))
