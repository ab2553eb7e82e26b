"""CLIP: the features of transformers' whole model, and texts that are too long."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from transformers import CLIPModel, CLIPTokenizer

from cologen.evaluation.networks.clip import Clip, load_clip
from cologen.evaluation.networks.preparing import OPENAI
from cologen.evaluation.records import ScoreError

CPU = torch.device("cpu")
TEXTS = ["a red cat", "two dogs", "the dog"]


@pytest.fixture(scope="module")
def clip(sources: dict[str, str]) -> Clip:
    return load_clip("clip", Path(sources["clip"]), CPU)


def unit(features: np.ndarray) -> np.ndarray:
    return features / np.linalg.norm(features)


def test_features_are_the_whole_model_s(clip: Clip, clip_folder: Path, pictures: list[np.ndarray]) -> None:
    """torchvision's chain and one batch of padded texts through ``CLIPModel``, whose outputs have unit length."""
    chain = transforms.Compose(
        [
            transforms.Resize(32, interpolation=InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize(OPENAI.mean, OPENAI.std),
        ]
    )
    model = CLIPModel.from_pretrained(clip_folder).eval()
    tokens = CLIPTokenizer.from_pretrained(clip_folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        whole = model(pixel_values=torch.stack([chain(Image.fromarray(each)) for each in pictures]), **tokens)
    for found, expected in zip(clip.read(pictures), whole.image_embeds, strict=True):
        assert np.allclose(unit(found), expected, atol=1e-5)
    for found, expected in zip(clip.read_texts(TEXTS), whole.text_embeds, strict=True):
        assert np.allclose(unit(found), expected, atol=1e-5)


def test_texts_differ_and_do_not_depend_on_each_other(clip: Clip) -> None:
    together = clip.read_texts(TEXTS)
    alone = [clip.read_texts([text])[0] for text in TEXTS]
    assert all(np.array_equal(one, other) for one, other in zip(together, alone, strict=True))
    assert not np.allclose(together[0], together[1])


def test_long_texts_are_refused_by_name(clip: Clip) -> None:
    """75 letters of one word and two marks fill the 77 places; one letter more does not fit."""
    assert len(clip.read_texts(["a" * 75])) == 1
    with pytest.raises(ScoreError, match=r"long_text: 78 tokens, CLIP reads 77: 'aaa"):
        clip.read_texts(["a red cat", "a" * 76])


def test_long_texts_are_cut_where_the_protocol_says_so(clip: Clip, clip_folder: Path) -> None:
    cutting = load_clip("clip", clip_folder, CPU, truncate=True)
    assert cutting.identity != clip.identity and cutting.identity.endswith("texts-cut")
    long, fitting = cutting.read_texts(["ab" * 50, "a red cat"])
    assert np.array_equal(fitting, clip.read_texts(["a red cat"])[0])
    tokens = CLIPTokenizer.from_pretrained(clip_folder)(
        ["ab" * 50], truncation=True, max_length=77, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = CLIPModel.from_pretrained(clip_folder).eval().get_text_features(**tokens).pooler_output[0]
    assert np.allclose(long, expected, atol=1e-4)


def test_a_folder_without_tokenizer_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(clip_folder, tmp_path / "clip", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer.json or vocab.json"):
        load_clip("clip", copy, CPU)


def test_another_network_is_refused(sources: dict[str, str]) -> None:
    assert json.loads((Path(sources["dino"]) / "config.json").read_text())["model_type"] == "vit"
    with pytest.raises(ValueError, match="dino"):
        load_clip("clip", Path(sources["dino"]), CPU)
