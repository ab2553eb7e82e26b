"""Inception: clean-fid's own resizing and wrapper on the same file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cleanfid.inception_torchscript import InceptionV3W
from cleanfid.resize import build_resizer

from cologen.evaluation.networks.inception import FILE, inception_path, load_inception
from tests.evaluation.tiny_networks import write_inception

CPU = torch.device("cpu")


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:FutureWarning")
def test_features_are_clean_fid_s(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    path = write_inception(tmp_path / FILE.filename, features=2048)
    theirs = InceptionV3W(str(tmp_path), download=False)
    resize = build_resizer("clean")
    batch = torch.stack([torch.from_numpy(resize(each)).permute(2, 0, 1) for each in pictures])
    with torch.inference_mode():
        expected = theirs(batch)
    found = load_inception("inception", path, CPU).read(pictures)
    assert np.allclose(np.stack(found), expected, atol=1e-5)
    assert found[0].shape == (2048,)


def test_a_path_is_the_file_or_its_folder(sources: dict[str, str], tmp_path: Path) -> None:
    path = Path(sources["inception"])
    assert inception_path(str(path)) == inception_path(str(path.parent)) == path
    with pytest.raises(FileNotFoundError, match=r"there is no .*inception-2015-12-05.pt"):
        inception_path(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"there is no .*mine.pt"):
        inception_path(str(tmp_path / "mine.pt"), fetch=True)  # only the published file can be fetched


def test_damage_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / FILE.filename
    path.write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"inception-2015-12-05.pt is not clean-fid's TorchScript file: ") as error:
        load_inception("inception", path, CPU)
    assert "\n" not in str(error.value)
