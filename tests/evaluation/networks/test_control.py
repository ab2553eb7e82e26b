"""HED and lineart: the extractors' maps, one number per pixel."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from cologen.datagen.control.hed import load_hed
from cologen.datagen.control.lineart import load_lineart
from cologen.evaluation.networks.control import FILES, load_control
from cologen.evaluation.networks.loading import missing_networks

CPU = torch.device("cpu")


@pytest.mark.parametrize(("kind", "load"), [("hed", load_hed), ("lineart", load_lineart)])
def test_maps_are_the_extractor_s(
    sources: dict[str, str], pictures: list[np.ndarray], kind: Literal["hed", "lineart"], load: object
) -> None:
    assert callable(load)
    path = Path(sources[kind]) / FILES[kind]
    extractor = load(path, device="cpu")
    for picture, found in zip(pictures, load_control(kind, sources[kind], path, CPU).read(pictures), strict=True):
        expected = extractor(torch.from_numpy(picture / np.float32(255)).permute(2, 0, 1)[None])[0, 0]
        assert found.shape == picture.shape[:2]
        assert np.allclose(found, expected, atol=1e-5)
        assert 0 <= found.min() < found.max() <= 1


def test_a_file_of_another_network_is_refused(sources: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"sk_model.pth"):
        load_control("hed", "hed", Path(sources["lineart"]) / "sk_model.pth", CPU)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, sources: dict[str, str]) -> None:
    monkeypatch.setattr("cologen.evaluation.networks.control.find_spec", lambda name: None)
    assert "controlnet_aux is not installed" in missing_networks(["hed"], sources)["hed"]
