"""Laws of finding weights: a file, a folder or a hub's name, and everything else is named."""

import warnings
from pathlib import Path

import pytest
import torch

from cologen.datagen.control.annotators import annotator, load_weights


def test_a_file_and_its_folder_are_the_same(tmp_path: Path) -> None:
    layer, saved = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    torch.save(saved.state_dict(), tmp_path / "net.pth")
    for weights in (tmp_path, tmp_path / "net.pth", str(tmp_path)):
        torch.nn.init.zeros_(layer.weight)
        load_weights(layer, weights, "net.pth")
        assert torch.equal(layer.weight, saved.weight)
        assert not layer.training
        assert not layer.weight.requires_grad


def test_what_is_nowhere_is_named(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 3)
    with pytest.raises(FileNotFoundError, match=r"net\.pth"):
        load_weights(layer, tmp_path, "net.pth")
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        load_weights(layer, tmp_path / "elsewhere", "net.pth")
    with pytest.raises(FileNotFoundError, match="not a name is neither a file nor a folder"):
        load_weights(layer, "not a name", "net.pth")


def test_another_network_s_weights_are_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(5, 3).state_dict(), tmp_path / "net.pth")
    with pytest.raises(ValueError, match="of another network"):
        load_weights(torch.nn.Linear(2, 3), tmp_path, "net.pth")


def test_the_package_s_own_warnings_are_kept_back() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert annotator("hed").ControlNetHED_Apache2
