"""An adapter comes back as it was, fits any folder of its base, and whatever is wrong with it is said once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from cologen.model.adapters import load_adapter, save_adapter
from cologen.model.transformer import CoLoGenTransformer2DModel
from tests.model.tiny import FORM, SHAPE, inputs, tiny

GIVEN = inputs(dtype=torch.float32)


def seen(model: CoLoGenTransformer2DModel) -> Tensor:
    with torch.no_grad():
        return model(**GIVEN.stock(), source=GIVEN.sources).sample


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with an adapter of two experts."""
    save_adapter(tiny(2, dtype=torch.float32), tmp_path)
    return tmp_path


def state(model: CoLoGenTransformer2DModel) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items()}


@pytest.mark.parametrize("routing", ["sample", "token"])
@pytest.mark.parametrize("source_timestep", ["zero", "shared"])
def test_loaded_into_flux_it_gives_what_it_gave(routing: str, source_timestep: str, tmp_path: Path):
    """Flux in a folder as diffusers writes it; the form of the experts is the adapter's."""
    torch.manual_seed(3)
    FluxTransformer2DModel(**SHAPE).save_pretrained(tmp_path / "flux")
    model = CoLoGenTransformer2DModel.from_pretrained(
        tmp_path / "flux", **FORM, routing=routing, source_timestep=source_timestep
    ).eval()
    for seed in range(2):
        model.add_expert(seed)
    for name, weight in model.named_parameters():
        if ".prw." in name:
            nn.init.normal_(weight)
    save_adapter(model, tmp_path / "adapter", notes={"step": 7})

    other = CoLoGenTransformer2DModel.from_pretrained(tmp_path / "flux").eval()
    load_adapter(other, tmp_path / "adapter")
    assert torch.equal(seen(other), seen(model))
    assert other.newcomer_bias == model.newcomer_bias
    assert {name: other.config[name] for name in FORM} == FORM
    assert json.loads((tmp_path / "adapter" / "adapter.json").read_text())["notes"] == {"step": 7}


def test_every_stage_is_there_and_files_are_written_once(tmp_path: Path):
    model, wanted = tiny(1, dtype=torch.float32), []
    for stage in (0, 1):
        if stage:
            model.add_expert(0)
            nn.init.normal_(model.transformer_blocks[0].attn.prw.router.choose)
        save_adapter(model, tmp_path)
        wanted.append(seen(model))
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    save_adapter(model, tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")} == before
    assert sorted(before) == [f"{kind}-{stage}.safetensors" for kind in ("expert", "router") for stage in (0, 1)]
    assert not torch.equal(*wanted)
    for stage in (0, 1):
        load_adapter(model, tmp_path, stage=stage)
        assert torch.equal(seen(model), wanted[stage])


def test_saved_smaller_it_is_loaded_in_the_precision_asked_for(tmp_path: Path):
    save_adapter(tiny(1, dtype=torch.float32), tmp_path, dtype=torch.bfloat16)
    model = tiny(dtype=torch.bfloat16)
    load_adapter(model, tmp_path)
    assert {weight.dtype for weight in model.state_dict().values()} == {torch.bfloat16}
    load_adapter(model, tmp_path, dtype=torch.float32)
    assert {weight.dtype for weight in model.freeze_for(0).values()} == {torch.float32}


def no_index(folder: Path) -> None:
    (folder / "adapter.json").unlink()


def no_expert(folder: Path) -> None:
    (folder / "expert-0.safetensors").unlink()


def no_router(folder: Path) -> None:
    (folder / "router-1.safetensors").unlink()


def cut(folder: Path) -> None:
    path = folder / "expert-1.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def empty(folder: Path) -> None:
    (folder / "expert-1.safetensors").write_bytes(b"")


def swapped(folder: Path) -> None:
    (folder / "expert-1.safetensors").write_bytes((folder / "expert-0.safetensors").read_bytes())


def no_json(folder: Path) -> None:
    (folder / "adapter.json").write_text("{")


def a_list(folder: Path) -> None:
    (folder / "adapter.json").write_text("[]")


def no_text(folder: Path) -> None:
    (folder / "adapter.json").write_bytes(b"\xff\xfe\x00")


def changed(key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        index = json.loads((folder / "adapter.json").read_text())
        (folder / "adapter.json").write_text(json.dumps({**index, key: value}))

    return change


FAULTS: dict[str, tuple[Callable[[Path], None], type[Exception], str]] = {
    "no index": (no_index, FileNotFoundError, "no adapter in .*: expected adapter.json there"),
    "no expert": (no_expert, FileNotFoundError, "expert-0.safetensors missing"),
    "no router": (no_router, FileNotFoundError, "router-1.safetensors missing"),
    "cut": (cut, ValueError, "expert-1.safetensors is not readable"),
    "empty": (empty, ValueError, "expert-1.safetensors is not readable"),
    "swapped": (swapped, ValueError, "is damaged: 8 tensors do not fit"),
    "no JSON": (no_json, ValueError, "adapter.json is not the JSON of an adapter"),
    "a list": (a_list, ValueError, "adapter.json is not the JSON of an adapter"),
    "no text": (no_text, ValueError, "adapter.json is not the JSON of an adapter"),
    "another format": (changed("format", 2), ValueError, "format 2 there, 1 here: made by another version"),
    "half a form": (changed("form", {"rank": 3}), ValueError, "adapter.json is not the JSON of an adapter"),
    "a word for a number": (changed("experts", "two"), ValueError, "adapter.json is not the JSON of an adapter"),
    "a base of no shape": (changed("base", 5), ValueError, "adapter.json is not the JSON of an adapter"),
    "another rank": (
        changed("form", {"rank": 4, "expert_scale": 2.0, "routing": "sample", "source_timestep": "zero"}),
        ValueError,
        "is damaged: 16 tensors do not fit, the first .*: .* expected",
    ),
    "another routing": (
        changed("form", {"rank": 3, "expert_scale": 2.0, "routing": "layer", "source_timestep": "zero"}),
        ValueError,
        "routing is .layer.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_clear_error_and_leaves_the_model_as_it_was(fault: str, saved: Path):
    damage, kind, words = FAULTS[fault]
    damage(saved)
    model = tiny(1, seed=4, dtype=torch.float32)
    before, config = state(model), dict(model.config)
    with pytest.raises(kind, match=words) as caught:
        load_adapter(model, saved)
    assert type(caught.value) is kind
    assert len(str(caught.value)) < 600
    assert dict(model.config) == config
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_another_base_is_named_field_by_field(saved: Path):
    model = tiny(dtype=torch.float32, num_layers=1, in_channels=16)
    with pytest.raises(ValueError, match="in_channels 8 there, 16 here; num_layers 2 there, 1 here"):
        load_adapter(model, saved)
    assert model.num_experts == 0


def test_a_stage_that_is_not_there_is_named_with_those_that_are(tmp_path: Path):
    save_adapter(tiny(3, dtype=torch.float32), tmp_path)
    model = tiny(dtype=torch.float32)
    for stage in (1, 3, -1):
        with pytest.raises(ValueError, match=f"no router of stage {stage}: there is stage 2"):
            load_adapter(model, tmp_path, stage=stage)


def test_a_folder_of_another_model_is_not_written_over(saved: Path):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with pytest.raises(ValueError, match="belongs to another model: rank 3 there, 5 here"):
        save_adapter(tiny(1, rank=5, dtype=torch.float32), saved)
    with pytest.raises(ValueError, match="no expert to save"):
        save_adapter(tiny(dtype=torch.float32), saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
