"""An adapter comes back as it was, fits any folder of its base, and whatever is wrong with it is said once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import accelerate
import pytest
import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cologen.model.adapter_index import with_sum
from cologen.model.adapters import load_adapter, save_adapter
from cologen.model.flux1 import CoLoGenTransformer2DModel
from tests.model.tiny import FORM, SHAPE, inputs, tiny, train_at_random

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
    routers = {weight.dtype for name, weight in model.state_dict().items() if ".prw.router." in name}
    others = {weight.dtype for name, weight in model.state_dict().items() if ".prw.router." not in name}
    assert (routers, others) == ({torch.float32}, {torch.bfloat16})
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


def changed(key: str, value: object, *, summed: bool = True) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        index = {**json.loads((folder / "adapter.json").read_text()), key: value}
        del index["sum"]
        (folder / "adapter.json").write_text(json.dumps(with_sum(index) if summed else index))

    return change


def form(**other: object) -> Callable[[Path], None]:
    return changed("form", {**FORM, "routing": "sample", "source_timestep": "zero", **other})


def a_bit(name: str) -> Callable[[Path], None]:
    """The lowest bit of a byte in the middle of a file's numbers."""

    def flip(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[-len(content) // 4] ^= 1
        (folder / name).write_bytes(content)

    return flip


def no_number(name: str, value: float) -> Callable[[Path], None]:
    """One value of a file is not finite, and the sums are right."""

    def change(folder: Path) -> None:
        weights = load_file(folder / name)
        next(iter(weights.values())).view(-1)[3] = value
        save_file(weights, folder / name)
        files = json.loads((folder / "adapter.json").read_text())["files"]
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        changed("files", {**files, name: found})(folder)

    return change


def a_number_in_the_index(folder: Path) -> None:
    text = (folder / "adapter.json").read_text()
    assert '"expert_scale": 2.0' in text
    (folder / "adapter.json").write_text(text.replace('"expert_scale": 2.0', '"expert_scale": 3.0'))


def deep(folder: Path) -> None:
    (folder / "adapter.json").write_text("[" * 100_000)


FAULTS: dict[str, tuple[Callable[[Path], None], type[Exception], str]] = {
    "no index": (no_index, FileNotFoundError, "no adapter in .*: expected adapter.json there"),
    "no expert": (no_expert, FileNotFoundError, "expert-0.safetensors missing"),
    "no router": (no_router, FileNotFoundError, "router-1.safetensors missing"),
    "cut": (cut, ValueError, "expert-1.safetensors is not readable"),
    "empty": (empty, ValueError, "expert-1.safetensors is not readable"),
    "swapped": (swapped, ValueError, "is damaged: 8 tensors do not fit"),
    "a bit of an expert": (a_bit("expert-0.safetensors"), ValueError, "expert-0.safetensors is damaged: its sha256"),
    "a bit of a router": (a_bit("router-1.safetensors"), ValueError, "router-1.safetensors is damaged: its sha256"),
    "a number of the index": (a_number_in_the_index, ValueError, "adapter.json .* was changed by hand"),
    "no sum": (changed("notes", {}, summed=False), ValueError, "adapter.json is not the JSON of an adapter.*'sum'"),
    "NaN in an expert": (no_number("expert-1.safetensors", math.nan), ValueError, "expert-1.* no finite numbers"),
    "inf in a router": (no_number("router-1.safetensors", math.inf), ValueError, "router-1.* no finite numbers"),
    "experts without end": (changed("experts", 10**9), ValueError, "1000000000 experts and 1 routers in 3 files"),
    "experts beyond a number": (changed("experts", 10**30), ValueError, "experts and 1 routers in 3 files"),
    "a rank without end": (form(rank=10**9), ValueError, "is damaged: 16 tensors do not fit"),
    "half a rank": (form(rank=True), ValueError, "not whole numbers"),
    "a scale without end": (form(expert_scale=math.inf), ValueError, "expert_scale is inf"),
    "a bias of no number": (changed("newcomer_bias", math.nan), ValueError, "newcomer_bias is nan"),
    "a router of no expert": (changed("routers", [-1, 1]), ValueError, r"routers are \[-1, 1\] of 2 experts"),
    "nested without end": (deep, ValueError, "adapter.json is not the JSON of an adapter"),
    "no JSON": (no_json, ValueError, "adapter.json is not the JSON of an adapter"),
    "a list": (a_list, ValueError, "adapter.json is not the JSON of an adapter"),
    "no text": (no_text, ValueError, "adapter.json is not the JSON of an adapter"),
    "another format": (changed("format", 4), ValueError, "format 4 there, 3 here: made by another version"),
    "another kind of base": (
        changed("base", {"kind": "flux.9"}),
        ValueError,
        "its base is of the kind 'flux.9': expected one of flux.1, flux.2",
    ),
    "half a form": (changed("form", {"rank": 3}), ValueError, "adapter.json is not the JSON of an adapter"),
    "a word for a number": (changed("experts", "two"), ValueError, "adapter.json is not the JSON of an adapter"),
    "a base of no shape": (changed("base", 5), ValueError, "adapter.json is not the JSON of an adapter"),
    "another rank": (form(rank=4), ValueError, "is damaged: 16 tensors do not fit, the first .*: .* expected"),
    "another routing": (form(routing="layer"), ValueError, "routing is .layer."),
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


def test_a_router_keeps_float32_whatever_the_precision_it_is_loaded_in(tmp_path: Path):
    """Rounded to bf16, the router of a FLUX block chooses another expert for 0.2 % of its inputs."""
    model = tiny(2, dtype=torch.float32)
    save_adapter(model, tmp_path, dtype=torch.bfloat16)
    other = tiny(dtype=torch.bfloat16)
    load_adapter(other, tmp_path)
    exact, found = (each.transformer_blocks[0].attn.prw.router.choose for each in (model, other))
    assert torch.equal(found, exact)
    assert torch.equal(other.to(torch.float16).transformer_blocks[0].attn.prw.router.choose, exact)
    assert other.transformer_blocks[0].attn.prw.experts[0].down.dtype == torch.float16
    other.save_pretrained(tmp_path / "whole")
    for options in ({}, {"low_cpu_mem_usage": False}):
        again = CoLoGenTransformer2DModel.from_pretrained(tmp_path / "whole", torch_dtype=torch.bfloat16, **options)
        assert torch.equal(again.transformer_blocks[0].attn.prw.router.choose, exact)
        assert again.transformer_blocks[0].attn.to_q.weight.dtype == torch.bfloat16


def test_a_folder_without_sums_as_format_1_had_it_is_still_read(saved: Path):
    index = json.loads((saved / "adapter.json").read_text())
    index = {name: value for name, value in index.items() if name not in ("files", "sum")}
    (saved / "adapter.json").write_text(json.dumps({**index, "format": 1}))
    model = tiny(dtype=torch.float32)
    load_adapter(model, saved)
    assert torch.equal(seen(model), seen(tiny(2, dtype=torch.float32)))


WRAPPERS: dict[str, Callable[[CoLoGenTransformer2DModel], nn.Module]] = {
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "peft": lambda model: get_peft_model(model, LoraConfig(r=2, target_modules=["to_k"])),
    "both": lambda model: torch.compile(
        get_peft_model(model, LoraConfig(r=2, target_modules=["to_k"])), backend="eager"
    ),
}


def compiled_blocks(model: CoLoGenTransformer2DModel) -> CoLoGenTransformer2DModel:
    for number, block in enumerate(model.transformer_blocks):
        model.transformer_blocks[number] = torch.compile(block, backend="eager")
    return model


@pytest.mark.parametrize("wrapper", [*WRAPPERS, "compiled blocks"])
def test_a_wrapped_model_saves_and_loads_as_the_model_in_it(wrapper: str, tmp_path: Path):
    wrap = WRAPPERS.get(wrapper, compiled_blocks)
    model = tiny(2, dtype=torch.float32)
    expected = seen(model)
    save_adapter(wrap(model), str(tmp_path))
    plain = tiny(dtype=torch.float32)
    load_adapter(plain, str(tmp_path))
    assert torch.equal(seen(plain), expected)
    other = tiny(dtype=torch.float32)
    load_adapter(wrap(other), tmp_path)
    names = [name for name in other.state_dict() if ".prw." in name]
    theirs = [weight for name, weight in model.state_dict().items() if ".prw." in name]
    assert len(names) == len(theirs)
    assert all(torch.equal(other.state_dict()[name], weight) for name, weight in zip(names, theirs, strict=True))


def test_weights_that_are_elsewhere_are_neither_saved_nor_replaced(saved: Path, tmp_path: Path):
    one_by_one, in_groups = tiny(1, dtype=torch.float32), tiny(1, dtype=torch.float32)
    accelerate.cpu_offload(one_by_one, torch.device("cpu"))
    in_groups.enable_group_offload(
        torch.device("cpu"), offload_type="leaf_level", offload_to_disk_path=str(tmp_path / "disk")
    )
    for model, where in ((one_by_one, "one by one"), (in_groups, "in groups")):
        with pytest.raises(ValueError, match=f"offloaded {where}: load the adapter before that"):
            load_adapter(model, saved)
        with pytest.raises(ValueError, match=f"offloaded {where}: save the adapter before that"):
            save_adapter(model, tmp_path / "new")
        with pytest.raises(ValueError, match=f"offloaded {where}: add experts before that"):
            model.add_expert(0)
    assert not (tmp_path / "new").exists()


def test_another_model_has_no_adapter(saved: Path):
    with pytest.raises(TypeError, match="got FluxTransformer2DModel"):
        load_adapter(FluxTransformer2DModel(**SHAPE), saved)


def an_infinite_expert(model: CoLoGenTransformer2DModel) -> dict[str, object]:
    next(weight for name, weight in model.named_parameters() if ".prw.experts." in name).data.fill_(math.inf)
    return {}


def an_expert_that_overflows(model: CoLoGenTransformer2DModel) -> dict[str, object]:
    next(weight for name, weight in model.named_parameters() if ".prw.experts." in name).data.fill_(1e6)
    return {"dtype": torch.float16}


def a_given_weight_of_another_shape(model: CoLoGenTransformer2DModel) -> dict[str, object]:
    name = next(name for name, _ in model.named_parameters() if ".prw.experts." in name)
    return {"weights": {name: torch.ones(1)}}


def integers(model: CoLoGenTransformer2DModel) -> dict[str, object]:
    return {"dtype": torch.int8}


def eight_bits(model: CoLoGenTransformer2DModel) -> dict[str, object]:
    return {"dtype": torch.float8_e5m2}


def notes_that_are_no_json(model: CoLoGenTransformer2DModel) -> dict[str, object]:
    return {"notes": {"loss": torch.tensor(1.0)}}


WRONG = {
    an_infinite_expert: "no finite numbers",
    an_expert_that_overflows: "no finite numbers",
    a_given_weight_of_another_shape: "1 tensors do not fit",
    integers: "floating type",
    eight_bits: "floating type",
    notes_that_are_no_json: "not JSON serializable",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_what_loading_would_refuse_is_not_saved_and_what_was_there_stays(
    wrong: Callable[..., dict[str, object]], saved: Path
):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    model = tiny(2, dtype=torch.float32)
    train_at_random(model)
    arguments = wrong(model)
    with pytest.raises((ValueError, TypeError), match=WRONG[wrong]):
        save_adapter(model, saved, **arguments)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
