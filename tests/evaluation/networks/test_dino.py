"""DINO: the class token after torchvision's chain."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from transformers import ViTModel

from cologen.evaluation.networks.dino import load_dino

CPU = torch.device("cpu")


def test_it_is_the_class_token(sources: dict[str, str], pictures: list[np.ndarray]) -> None:
    folder = Path(sources["dino"])
    chain = transforms.Compose(
        [
            transforms.Resize(256, interpolation=InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    model = ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.inference_mode():
        inputs = torch.stack([chain(Image.fromarray(each)) for each in pictures])
        expected = model(inputs).last_hidden_state[:, 0]
    found = load_dino("facebook/dino-vits16", folder, CPU).read(pictures)
    assert np.allclose(np.stack(found), expected, atol=1e-5)
    assert not np.allclose(found[0], found[1], atol=1e-2)


def test_another_size_is_refused(sources: dict[str, str], tmp_path: Path) -> None:
    copy = shutil.copytree(sources["dino"], tmp_path / "dino")
    config = (copy / "config.json").read_text()
    (copy / "config.json").write_text(config.replace('"image_size": 224', '"image_size": 336'))
    with pytest.raises(ValueError, match=r"dino"):
        load_dino("dino", copy, CPU)
