"""A stage's experts and routers to and from safetensors, beside a JSON that says which base they fit.

    adapter.json               format, base (its shape), form (rank, scale, routing, …), experts, routers, notes
    expert-0.safetensors …     one per stage, written once and never again
    router-2.safetensors …     the router as it was at the end of a stage

Experts stay what they were, routers go on learning: so stage s is experts 0 … s with router s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cologen.model.files import write_atomically
from cologen.model.transformer import CoLoGenTransformer2DModel, SourceTimestep
from cologen.model.weaving import Granularity

INDEX = "adapter.json"
FORMAT = 1

_SHAPE = (
    "in_channels",
    "num_layers",
    "num_single_layers",
    "attention_head_dim",
    "num_attention_heads",
    "joint_attention_dim",
    "pooled_projection_dim",
)
_FORM = ("rank", "expert_scale", "routing", "source_timestep")


def save_adapter(
    model: CoLoGenTransformer2DModel,
    folder: Path,
    *,
    dtype: torch.dtype | None = None,
    weights: Mapping[str, Tensor] = MappingProxyType({}),
    notes: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Save the newest stage: its router, and every expert that is not there yet or has other numbers.

    Saving stage after stage into one folder keeps them all. Each file takes its name when it is whole.

    Args:
        dtype: of what is saved; None: as it is.
        weights: saved in place of the model's own of these names: their moving average, or what is sharded, gathered.
        notes: whatever else is to be known of it (base, step, recipe); kept in the JSON.

    Raises:
        ValueError: the model has no expert, or the folder holds the adapter of another model.
    """
    if not model.num_experts:
        raise ValueError("there is no expert to save: call add_expert first")
    stage, index = model.num_experts - 1, _index_of(model)
    folder.mkdir(parents=True, exist_ok=True)
    before = _read_index(folder) if (folder / INDEX).exists() else None
    if before is not None:
        _refuse_other(before, index, folder)
    pool = {name: weight for name, weight in model.state_dict().items() if ".prw." in name} | dict(weights)
    state = {name: weight.detach().to("cpu", dtype).contiguous() for name, weight in pool.items()}
    for number in range(stage + 1):
        _write_if_other(folder / _expert_file(number), _part(state, f".prw.experts.{number}."))
    _write_if_other(folder / _router_file(stage), _part(state, ".prw.router."))
    routers = [r for r in (before or {}).get("routers", []) if r < stage and (folder / _router_file(r)).exists()]
    text = {
        **index,
        "experts": stage + 1,
        "routers": [*routers, stage],
        "newcomer_bias": model.newcomer_bias,
        "notes": dict(notes),
    }
    write_atomically(folder / INDEX, (json.dumps(text, indent=1) + "\n").encode())


def load_adapter(
    model: CoLoGenTransformer2DModel, folder: Path, *, stage: int | None = None, dtype: torch.dtype | None = None
) -> None:
    """Put the experts of ``stage`` (None: the newest) and its router in place of whatever experts the model has.

    Args:
        dtype: of the experts; None: the model's, which is right for inference. Training wants float32.

    Raises:
        FileNotFoundError: no adapter there, or a file of it is missing.
        ValueError: it was made for a base of another shape, has no such stage, or is damaged.
    """
    index = _read_index(folder)
    _refuse_other({"base": index["base"]}, _index_of(model), folder)
    newest: int = index["experts"] - 1
    stage = newest if stage is None else stage
    if stage not in index["routers"]:
        known = ", ".join(map(str, index["routers"]))
        raise ValueError(f"{folder} holds no router of stage {stage}: there is stage {known}")
    files = [*map(_expert_file, range(stage + 1)), _router_file(stage)]
    if missing := [name for name in files if not (folder / name).is_file()]:
        raise FileNotFoundError(f"stage {stage} needs {len(files)} files in {folder}: {', '.join(missing)} missing")
    weights: dict[str, Tensor] = {}
    for name in files:
        weights |= _read(folder / name)
    # Built aside first: a damaged file leaves the model as it was.
    expected = _expected_shapes(model, stage + 1, index["form"]["rank"])
    found = {name: tuple(weight.shape) for name, weight in weights.items()}
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        raise ValueError(
            f"{folder} is damaged: {len(wrong)} tensors do not fit, the first {wrong[0]}: "
            f"{found.get(wrong[0], 'missing')}, expected {expected.get(wrong[0], 'none')}"
        )
    model.rebuild(stage + 1, **index["form"], dtype=dtype or model.dtype)
    model.load_state_dict(weights, strict=False)
    if stage == newest:  # saved during a warm-up, maybe
        model.newcomer_bias = index["newcomer_bias"]


def _index_of(model: CoLoGenTransformer2DModel) -> dict[str, Any]:
    config: Any = model.config
    return {
        "format": FORMAT,
        "base": {name: config[name] for name in _SHAPE},
        "form": {name: config[name] for name in _FORM},
    }


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    if not path.is_file():
        raise FileNotFoundError(f"no adapter in {folder}: expected {INDEX} there")
    try:
        index = json.loads(path.read_text())
        _check_index(index)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path} is not the JSON of an adapter: {error!r}") from error
    return index


def _check_index(index: Any) -> None:
    """Refuse what cannot be an adapter's index, by whatever error comes of it."""
    if index["format"] != FORMAT:
        raise ValueError(f"format {index['format']} there, {FORMAT} here: made by another version")
    form = index["form"]
    if set(index["base"]) != set(_SHAPE) or set(form) != set(_FORM):
        raise ValueError(f"base and form do not hold {', '.join((*_SHAPE, *_FORM))}")
    if form["routing"] not in get_args(Granularity) or form["source_timestep"] not in get_args(SourceTimestep):
        raise ValueError(f"routing is {form['routing']!r}, source_timestep is {form['source_timestep']!r}")
    whole = (index["experts"], form["rank"], *index["routers"])
    if not all(isinstance(number, int) for number in whole) or min(index["experts"], form["rank"]) < 1:
        raise ValueError(f"experts, rank and routers are not whole numbers: {whole}")
    form["expert_scale"], index["newcomer_bias"] = float(form["expert_scale"]), float(index["newcomer_bias"])


def _refuse_other(there: Mapping[str, Any], here: Mapping[str, Any], folder: Path) -> None:
    """Name every field in which an adapter differs from the model at hand."""
    differences = [
        f"{name} {there[group][name]} there, {here[group][name]} here"
        for group in ("base", "form")
        if group in there
        for name in here[group]
        if there[group].get(name) != here[group][name]
    ]
    if differences:
        raise ValueError(f"the adapter in {folder} belongs to another model: {'; '.join(differences)}")


def _expected_shapes(model: CoLoGenTransformer2DModel, num_experts: int, rank: int) -> dict[str, tuple[int, ...]]:
    dim, shapes = model.inner_dim, dict[str, tuple[int, ...]]()
    for name in (name for name, _ in model.named_modules() if name.endswith(".attn.prw")):
        shapes |= {f"{name}.router.{rows}": (num_experts, dim) for rows in ("choose", "disturb")}
        for number in range(num_experts):
            shapes[f"{name}.experts.{number}.down"] = (2, rank, dim)
            shapes[f"{name}.experts.{number}.up"] = (2, dim, rank)
    return shapes


def _expert_file(number: int) -> str:
    return f"expert-{number}.safetensors"


def _router_file(stage: int) -> str:
    return f"router-{stage}.safetensors"


def _part(state: Mapping[str, Tensor], inside: str) -> dict[str, Tensor]:
    return {name: weight for name, weight in state.items() if inside in name}


def _write_if_other(path: Path, weights: dict[str, Tensor]) -> None:
    content = save(weights)
    if not (path.is_file() and path.read_bytes() == content):
        write_atomically(path, content)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dictionary
    except SafetensorError as error:
        raise ValueError(f"{path} is not readable: {error}") from error
