"""Depth: DPT's own map of the squashed picture."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import DPTForDepthEstimation

from cologen.evaluation.networks.depth import load_depth

CPU = torch.device("cpu")


@pytest.mark.parametrize(("resample", "name"), [(None, "bilinear"), (3, "bicubic")])
def test_it_is_the_network_s_map(
    sources: dict[str, str], pictures: list[np.ndarray], tmp_path: Path, resample: int | None, name: str
) -> None:
    folder = shutil.copytree(sources["depth"], tmp_path / "dpt")
    if resample is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps({"resample": resample}))
    depth = load_depth("dpt", folder, CPU)
    assert depth.identity.endswith(f"squashed-64-{name}-1")
    model = DPTForDepthEstimation.from_pretrained(folder).eval()
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    for picture, found in zip(pictures, depth.read(pictures), strict=True):
        small = np.array(Image.fromarray(picture).resize((64, 64), filters[name])).astype(np.float32)
        inputs = torch.from_numpy(small / 127.5 - 1).permute(2, 0, 1)[None]
        with torch.inference_mode():
            expected = model(inputs).predicted_depth[0].numpy()
        assert found.shape == (64, 64)
        assert np.allclose(found / found.max(), expected / expected.max(), atol=1e-3)
        assert found.min() >= 0


def test_another_network_is_refused(sources: dict[str, str]) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match="clip"):
        load_depth("clip", Path(sources["clip"]), CPU)
