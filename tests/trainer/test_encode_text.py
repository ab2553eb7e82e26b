"""Embeddings made ahead are the encoders' own, whoever makes them; training with them loads no encoder and has the same
bits."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from cologen.model.flux2_text import Flux2TextEncoder
from cologen.model.presets import Preset, preset, preset_of
from cologen.model.qwen_image_text import QwenImageTextEncoder
from cologen.model.text import FluxTextEncoder
from cologen.trainer import cli
from cologen.trainer.data.prompts import prompts_of
from cologen.trainer.loop import bases, stored_text
from cologen.trainer.loop.kept import prompt_key
from cologen.trainer.loop.kept_files import Kept
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from pipelines.encode_text import main
from tests.model.tiny_flux import TRANSFORMER, write_flux
from tests.model.tiny_klein import write_klein
from tests.model.tiny_qwen import write_qwen
from tests.trainer.small_runs import ALONE, adapter_bytes, arguments, recipe, train


@pytest.fixture
def own(data: Path, tmp_path: Path) -> Path:
    """The manifests, in a folder where text can be stored."""
    return Path(shutil.copytree(data, tmp_path / "data"))


def of_world(own: Path, *more: str) -> list[str]:
    return ["--recipe", "world", "--data", str(own), "--stage", "inpaint", "--device", "cpu", *more]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "text").rglob("*.safetensors"))}


def test_training_has_the_same_bits(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--stage", "inpaint", "--set", "num_samples=1", "--set", "stages.inpaint.iterations=2"]
    assert cli.main([*arguments(own, tmp_path / "live"), *given]) == 0
    assert cli.main([*arguments(own, tmp_path / "stored", "stored_text=true"), *given]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "prompts, the first ''" in said and "python -m pipelines.encode_text" in said
    assert main(of_world(own)) == 0
    assert cli.main([*arguments(own, tmp_path / "stored", "stored_text=true"), *given]) == 0
    assert adapter_bytes(tmp_path / "live") == adapter_bytes(tmp_path / "stored")


def test_a_killed_command_goes_on_to_the_same_files(own: Path) -> None:
    assert main(of_world(own)) == 0
    whole = files(own)
    assert len(whole) == len(prompts_of(load_recipe("world"), [0], own)) > 8
    for path in sorted((own / "text").rglob("*.safetensors"))[::2]:
        path.rename(path.with_name(f".{path.name}.12ab"))  # as a killed writer leaves it
    assert main(of_world(own)) == 0
    assert files(own) == whole
    assert not list((own / "text").rglob(".*.12ab"))


def test_what_would_be_built_first_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--recipe", "world", "--data", str(tmp_path / "new"), "--dry-run", "--device", "cpu"]) == 1
    assert "is not built yet, and its captions are not known" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_two_workers_on_ray_make_the_same_files(own: Path) -> None:
    assert main(of_world(own)) == 0
    whole = files(own)
    shutil.rmtree(own / "text")
    assert main(of_world(own, "--actors", "2")) == 0
    assert files(own) == whole


def test_more_than_is_allowed_is_refused_and_nothing_is_lost(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(of_world(own, "--dry-run")) == 0
    assert main(of_world(own, "--dry-run", "--max-gb", "0.00001")) == 1
    assert main(of_world(own, "--max-gb", "0.00005")) == 1
    said = capsys.readouterr()
    assert "before compression" in said.out and "has reached its bound of 5e-05 GB" in " ".join(said.err.split())
    assert sum(len(each) for each in files(own).values()) <= 50_000
    assert main(of_world(own, "--max-gb", "0.00008")) == 1
    assert "raise --max-gb" in " ".join(capsys.readouterr().err.split())
    assert main(of_world(own)) == 0


def test_a_damaged_file_and_another_caption_are_named(own: Path) -> None:
    assert main(of_world(own)) == 0
    kept = stored_text.stored_text(load_recipe("world"), None, own)
    text = stored_text.reader(kept, ALONE.device)
    path = kept.path(prompt_key(""))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"are damaged: delete the file. `python -m pipelines.encode_text`"):
        text.encode([""])
    with pytest.raises(ValueError, match="no text embeddings of 'never said'"):
        text.encode(["never said"])
    with pytest.raises(ValueError, match="no text embeddings of 1 prompts, the first 'never said'"):
        stored_text.require_stored(kept, ["", "never said"])


def of_flux(folder: Path) -> tuple[Preset, type[nn.Module]]:
    write_flux(folder)
    return replace(preset("flux-dev"), transformer=TRANSFORMER | {"rank": 4}, text_tokens=32), FluxTextEncoder


def of_klein(folder: Path) -> tuple[Preset, type[nn.Module]]:
    write_klein(folder)
    return preset_of(folder), Flux2TextEncoder


def of_qwen(folder: Path) -> tuple[Preset, type[nn.Module]]:
    write_qwen(folder)
    return preset_of(folder), QwenImageTextEncoder


@pytest.mark.slow
@pytest.mark.parametrize("write", [of_flux, of_klein, of_qwen])
def test_a_base_is_trained_without_its_text_encoders(
    own: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path], tuple[Preset, type[nn.Module]]],
) -> None:
    folder = tmp_path / "base"
    small, encoder = write(folder)
    for module in (bases, stored_text):
        monkeypatch.setattr(module, "preset", lambda _: small)
    of = recipe("resolution.multiple=16", "rank=4", "precision=fp32", "stages.0.iterations=2").replace(stored_text=True)
    kept, prompts = stored_text.stored_text(of, folder, own), prompts_of(of, [0], own)
    made = stored_text.text_maker(of, folder, kept.folder, 10**9, "cpu")(prompts)
    assert len(made.sizes) == len(prompts) and not made.rejected
    assert sum(made.sizes) == sum(kept.sizes().values())

    live = bases.open_base(of, folder, ALONE.device)[0]
    bundle = bases.open_base(of, folder, ALONE.device, stored_text.reader(kept, ALONE.device))[0]
    assert any(isinstance(each, encoder) for each in live.text.modules())  # type: ignore[attr-defined]
    assert not isinstance(bundle.text, nn.Module)
    for chosen in (prompts[:3], prompts[-1:]):
        plain, found = live.text.encode(chosen), bundle.text.encode(chosen)
        assert torch.equal(plain.embeds, found.embeds) and torch.equal(plain.pooled, found.pooled)
    for name, each in (("live", live), ("stored", bundle)):
        train(tmp_path / name, own, of.replace(held_out=None), base=lambda each=each: each)
    assert adapter_bytes(tmp_path / "live") == adapter_bytes(tmp_path / "stored")


def padded(of: Recipe, folder: Path, prompts: list[str]) -> list[torch.Tensor]:
    """The vectors of the last token, which is padding."""
    return list(bases.open_text(of, folder, ALONE.device).encode(prompts).embeds[:, -1])


@pytest.mark.parametrize("write", [of_flux, of_klein])
def test_padding_depends_on_the_prompt_and_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], tuple[Preset, type[nn.Module]]]
) -> None:
    small, _ = write(tmp_path / "base")
    monkeypatch.setattr(bases, "preset", lambda _: small)
    one, other = padded(recipe("precision=fp32"), tmp_path / "base", ["red", "cat"])
    assert not torch.allclose(one, other)


def test_other_encoders_have_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, _ = of_klein(tmp_path / "base")
    monkeypatch.setattr(stored_text, "preset", lambda _: small)

    def folder(*overrides: str) -> Path:
        return stored_text.stored_text(recipe(*overrides), tmp_path / "base", tmp_path).folder

    first = folder()
    assert first == folder("seed=1", "rank=2")
    assert len({folder("precision=fp32"), folder("precision=bf16")}) == 2
    weights = tmp_path / "base" / "text_encoder" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-3] ^= 1
    weights.write_bytes(changed)
    assert folder() != first
    shutil.rmtree(tmp_path / "base" / "tokenizer")
    with pytest.raises(FileNotFoundError, match="tokenizer is not there"):
        folder()


def test_embeddings_that_are_not_finite_are_rejected(tmp_path: Path) -> None:
    class Failing(nn.Module):
        def encode(self, prompts: list[str]) -> object:
            embeds = torch.zeros(len(prompts), 2, 3)
            embeds[1, 0, 0] = torch.nan
            return stored_text.Prompts(embeds, embeds.new_zeros(len(prompts), 1))

    found = stored_text.stored(Failing(), Kept(tmp_path), ["a", "b", "c"])
    assert found.rejected == ("b",) and len(found.sizes) == 2
    assert stored_text.not_stored(Kept(tmp_path), ["a", "b", "c"]) == ["b"]
