from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen.datasets import DATASETS, open_ade20k, open_dataset
from cologen.datagen.datasets.ade20k.challenge import open_challenge
from cologen.datagen.datasets.ade20k.full import open_full
from cologen.datagen.records import Image


@pytest.mark.parametrize("above", [True, False])
def test_the_form_of_ade20k_is_told_from_its_folders(
    above: bool, tmp_path: Path, put_picture: Any, put_map: Any
) -> None:
    challenge = tmp_path / "a/ADEChallengeData2016"
    put_picture(challenge / "images/training/ADE_train_00000001.jpg")
    put_map(challenge / "annotations/training/ADE_train_00000001.png", np.ones((48, 64)))
    full = tmp_path / "b/ADE20K_2021_17_01"
    put_picture(full / "images/ADE/training/home/bedroom/N1.jpg")
    root = challenge.parent if above else challenge
    assert open_ade20k(root).fingerprint() == open_challenge(root).fingerprint()
    root = full.parent if above else full
    assert open_ade20k(root).fingerprint() == open_full(root).fingerprint()
    assert open_dataset(Image, "ade20k", full, "train").annotated


@pytest.mark.parametrize("name", DATASETS[Image])
def test_a_missing_root_is_one_clear_error(name: str, tmp_path: Path) -> None:
    for split in ("train", "val"):
        with pytest.raises(FileNotFoundError, match=r"root .*nowhere is not a folder"):
            open_dataset(Image, name, tmp_path / "nowhere", split)
        with pytest.raises(FileNotFoundError, match=str(tmp_path)):
            open_dataset(Image, name, tmp_path, split)


def test_an_unknown_dataset_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no dataset of images 'laion': expected one of journeydb, cocostuff, ade20k"):
        open_dataset(Image, "laion", tmp_path, "train")
