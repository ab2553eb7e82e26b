"""Where weights are: folders, files, the hub's cache as it is on disk; names that follow the bytes."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPModel, ViTModel
from transformers.utils import logging

from cologen.evaluation.networks.checkpoints import file_of, folder_of, identity_of, read_checkpoint, settings_of


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def cached(hub: Path, repository: str, files: Path) -> Path:
    """Copy files into the cache as a download leaves them."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = hub / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    shutil.copytree(files, folder / "snapshots" / commit)
    return folder / "snapshots" / commit


def test_a_folder_is_itself(clip_folder: Path) -> None:
    assert folder_of(str(clip_folder)) == clip_folder


def test_a_name_is_its_copy_in_the_cache(hub: Path, clip_folder: Path) -> None:
    snapshot = cached(hub, "openai/clip-tiny", clip_folder)
    assert folder_of("openai/clip-tiny") == snapshot
    read_checkpoint(CLIPModel, snapshot, "CLIP")


def test_older_repositories_hold_no_safetensors(hub: Path, clip_folder: Path, tmp_path: Path) -> None:
    """``openai/clip-vit-base-patch32`` has ``pytorch_model.bin`` alone."""
    old = shutil.copytree(clip_folder, tmp_path / "old", ignore=shutil.ignore_patterns("*.safetensors"))
    state = load_file(clip_folder / "model.safetensors")
    torch.save(state, old / "pytorch_model.bin")
    snapshot = cached(hub, "openai/clip-old", old)
    assert folder_of("openai/clip-old") == snapshot
    model = read_checkpoint(CLIPModel, snapshot, "CLIP")
    assert torch.equal(model.logit_scale, state["logit_scale"])
    assert "sha256:" in identity_of("openai/clip-old", snapshot, "x")


def test_a_download_that_stopped_before_the_weights_is_not_there(hub: Path, clip_folder: Path, tmp_path: Path) -> None:
    half = shutil.copytree(clip_folder, tmp_path / "half", ignore=shutil.ignore_patterns("*.safetensors"))
    cached(hub, "openai/clip-half", half)
    with pytest.raises(FileNotFoundError, match=r"openai/clip-half \(pytorch_model.bin\) is neither"):
        folder_of("openai/clip-half")


def test_what_is_not_here_is_said_and_nothing_is_fetched(hub: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"openai/clip .* neither a path nor in the hub's cache"):
        folder_of("openai/clip")
    with pytest.raises(FileNotFoundError, match=r"lllyasviel/Annotators \(ControlNetHED.pth\)"):
        file_of("lllyasviel/Annotators", "ControlNetHED.pth")
    with pytest.raises(FileNotFoundError, match="neither a path nor"):
        folder_of("no/such/folder/here")
    assert not hub.exists() or not list(hub.rglob("config.json"))


def test_a_file_is_itself_or_in_its_folder(sources: dict[str, str]) -> None:
    folder = Path(sources["hed"])
    assert file_of(str(folder), "sk_model.pth") == folder / "sk_model.pth"
    assert file_of(str(folder / "sk_model.pth"), "other.pth") == folder / "sk_model.pth"
    with pytest.raises(FileNotFoundError, match=r"there is no other.pth in "):
        file_of(str(folder), "other.pth")


def test_identity_follows_the_bytes_and_not_the_place(clip_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(clip_folder, tmp_path / "clip")
    before = identity_of(str(clip_folder), clip_folder, "x")
    assert identity_of(str(copy), copy, "x") == before
    assert str(tmp_path) not in before and before.endswith(" x")
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    assert identity_of(str(copy), copy, "x") != before
    assert identity_of("openai/clip", clip_folder, "x").startswith("openai/clip sha256:")


def test_damage_and_other_networks_are_one_line(clip_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"is no checkpoint of CLIP: expected config.json and "):
        read_checkpoint(CLIPModel, tmp_path, "CLIP")
    copy = shutil.copytree(clip_folder, tmp_path / "clip")
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ValueError, match="clip is") as error:
        read_checkpoint(CLIPModel, copy, "CLIP")
    assert "\n" not in str(error.value)


def test_a_missing_weight_is_an_error_and_not_made_up(sources: dict[str, str], tmp_path: Path) -> None:
    """Without a pooler's weights, a ViT with pooler would be given random ones."""
    with pytest.raises(ValueError, match="lacks 2 weights"):
        read_checkpoint(ViTModel, Path(sources["dino"]), "ViT")


def test_settings(tmp_path: Path) -> None:
    assert settings_of(tmp_path) == {}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"resample": 3}))
    assert settings_of(tmp_path) == {"resample": 3}
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ValueError, match=r"preprocessor_config.json is damaged"):
        settings_of(tmp_path)


def test_no_bars_are_drawn_and_the_setting_comes_back(clip_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logging.enable_progress_bar()
    read_checkpoint(CLIPModel, clip_folder, "CLIP")
    assert "Loading weights" not in capfd.readouterr().err
    assert logging.is_progress_bar_enabled()
