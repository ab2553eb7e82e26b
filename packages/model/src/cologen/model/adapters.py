"""Saves and loads experts and routers as safetensors, with a JSON that names the base they fit.

    adapter.json               format, base (its kind and shape), form (rank, scale, routing, …), experts, routers,
                               notes, files (the sha256 of each), sum (the sha256 of all the rest)
    expert-0.safetensors …     one per stage, written once and never again
    router-2.safetensors …     the router as it was at the end of a stage
    README.md                  the model card

An expert does not change after its stage, but the router keeps learning. So stage s is experts 0 … s with router s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from cologen.model.adapter_card import write_card
from cologen.model.adapter_index import FORM, FORMAT, INDEX, SHAPES, read_index, refuse_other, with_sum
from cologen.model.files import write_atomically
from cologen.model.hooks import plain_name, refuse_if_weights_are_elsewhere, unwrapped
from cologen.model.transformer import WovenTransformer

__all__ = ["ADAPTER_FILES", "INDEX", "Adapter", "load_adapter", "save_adapter"]

ADAPTER_FILES = (INDEX, "expert-*.safetensors", "router-*.safetensors")
"""Patterns of the files that are read."""

_FEWEST_BYTES = 2
"""Of a saved number: types of 8 bits lack infinity, or even signs."""


def save_adapter(
    model: nn.Module,
    folder: Path | str,
    *,
    dtype: torch.dtype | None = None,
    weights: Mapping[str, Tensor] = MappingProxyType({}),
    notes: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Save the newest stage: its router, and every expert that is not there yet or has changed.

    Saving stage after stage into one folder keeps them all. Each file gets its final name only when it is complete.

    Args:
        model: a ``WovenTransformer``; it may be compiled or wrapped by DDP or peft. If it is sharded, every
            process has to call this, unless ``weights`` holds all sharded weights.
        folder: created if it does not exist.
        dtype: of the experts in the files; None: as they are. Routers are always saved as they are.
        weights: saved instead of the model's weights of the same names: their moving average, or gathered shards.
        notes: further facts for the JSON (base, step, recipe).

    Raises:
        ValueError: the model has no expert, its weights are offloaded or not finite, ``dtype`` is no floating type, or
            the folder holds the adapter of another model.
        TypeError: another kind of model, or ``notes`` are no JSON.
    """
    own, folder = _cologen(model), Path(folder)
    if not own.num_experts:
        raise ValueError("there is no expert to save: call add_expert first")
    stage, index = own.num_experts - 1, _index_of(own)
    before = read_index(folder) if (folder / INDEX).exists() else None
    if before is not None:
        refuse_other(before, index, folder)
    if dtype is not None and not (dtype.is_floating_point and dtype.itemsize >= _FEWEST_BYTES):
        raise ValueError(f"experts are saved in a floating type of 16 bits or more, got {dtype}")
    given = {plain_name(name): weight for name, weight in weights.items()}
    state = _own_weights(own, given) | {name: weight.detach().to("cpu") for name, weight in given.items()}
    parts = {_expert_file(number): _part(state, f".prw.experts.{number}.", dtype) for number in range(stage + 1)}
    parts[_router_file(stage)] = _part(state, ".prw.router.", None)
    # All that loading would refuse is refused here, before anything is written.
    shapes = {name: tuple(weight.shape) for part in parts.values() for name, weight in part.items()}
    _refuse_other_shapes("cannot be saved", shapes, _expected_shapes(own, stage + 1, index["form"]["rank"]))
    for part in parts.values():
        _refuse_non_finite(part, "the model")
    json.dumps(dict(notes))
    folder.mkdir(parents=True, exist_ok=True)
    files = {} if before is None else dict(before["files"])
    files |= {name: _written(folder / name, part) for name, part in parts.items()}
    routers = [] if before is None else [number for number in before["routers"] if number < stage]
    text = {
        **index,
        "experts": stage + 1,
        "routers": [*routers, stage],
        "newcomer_bias": own.newcomer_bias,
        "notes": dict(notes),
        "files": {name: files[name] for name in _files(stage + 1, [*routers, stage])},
    }
    write_atomically(folder / INDEX, (json.dumps(with_sum(text), indent=1) + "\n").encode())
    write_card(folder, text)


def load_adapter(
    model: nn.Module, folder: Path | str, *, stage: int | None = None, dtype: torch.dtype | None = None
) -> None:
    """Replace the model's experts by those of ``stage`` (None: the newest), and its router.

    Args:
        model: a ``WovenTransformer``; it may be compiled or wrapped by peft.
        folder: as ``save_adapter`` wrote it.
        stage: one whose router is in the folder.
        dtype: of the experts; None: the model's, which is right for inference. Training wants float32. Routers are
            float32 at least.

    Raises:
        FileNotFoundError: no adapter there, or a file of it is missing.
        ValueError: it was made for a base of another shape, has no such stage, or is damaged; or the model is already
            offloaded, sharded or wrapped by DDP.
        TypeError: another kind of model.
    """
    Adapter(Path(folder)).into(model, stage, dtype=dtype)


class Adapter:
    """An adapter's folder as it is when it is read, each file once: stages can be switched without reading again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, dict[str, Tensor]] = {}

    @cached_property
    def index(self) -> dict[str, Any]:
        """The content of its ``adapter.json``.

        Raises:
            FileNotFoundError, ValueError: as ``read_index`` does.
        """
        return read_index(self.folder)

    def into(self, model: nn.Module, stage: int | None = None, *, dtype: torch.dtype | None = None) -> None:
        """What ``load_adapter`` does, with its errors."""
        in_ddp = isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel))
        if in_ddp:
            raise ValueError(
                "the transformer is wrapped by DDP, which would not train new experts: load the adapter first"
            )
        own, folder = _cologen(model), self.folder
        refuse_if_weights_are_elsewhere(own, "load the adapter")
        index = self.index
        refuse_other({"base": index["base"]}, _index_of(own), folder)
        newest: int = index["experts"] - 1
        stage = newest if stage is None else stage
        if stage not in index["routers"]:
            known = ", ".join(map(str, index["routers"]))
            raise ValueError(f"{folder} holds no router of stage {stage}: there is stage {known}")
        files = _files(stage + 1, [stage])
        unread = [name for name in files if name not in self._read]
        if missing := [name for name in unread if not (folder / name).is_file()]:
            raise FileNotFoundError(f"stage {stage} needs {len(files)} files in {folder}: {', '.join(missing)} missing")
        expected = _expected_shapes(own, stage + 1, index["form"]["rank"])
        already = [weights for file, weights in self._read.items() if file in files]
        known = {name: tuple(weight.shape) for weights in already for name, weight in weights.items()}
        _check_headers(folder, unread, expected, known)
        # All files are read before the model is changed, so that a damaged one leaves it as it was.
        found = {name: _read(folder / name, index["files"].get(name)) for name in unread}
        self._read |= found
        own.rebuild(stage + 1, **index["form"], dtype=dtype or own.dtype)
        names = {plain_name(name): name for name in own.state_dict()}
        weights = {names[name]: weight for file in files for name, weight in self._read[file].items()}
        own.load_state_dict(weights, strict=False)
        if stage == newest:  # it may have been saved during a warm-up
            own.newcomer_bias = index["newcomer_bias"]


def _cologen(model: nn.Module) -> WovenTransformer:
    found = unwrapped(model)
    if not isinstance(found, WovenTransformer):
        raise TypeError(f"adapters belong to a transformer of CoLoGen, got {type(found).__name__}")
    return found


def _own_weights(model: WovenTransformer, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The pool's weights except those ``given``, unsharded and on the CPU."""
    own = {plain_name(name): weight for name, weight in model.state_dict().items() if ".prw." in name}
    own = {name: weight for name, weight in own.items() if name not in given}
    if own:
        refuse_if_weights_are_elsewhere(model, "save the adapter", sharded=True)
    whole = {name: weight.full_tensor() if isinstance(weight, DTensor) else weight for name, weight in own.items()}
    return {name: weight.detach().to("cpu") for name, weight in whole.items()}


def _index_of(model: WovenTransformer) -> dict[str, Any]:
    config: Any = model.config
    return {
        "format": FORMAT,
        "base": {"kind": model.base_kind} | {name: config[name] for name in SHAPES[model.base_kind]},
        "form": {name: config[name] for name in FORM},
    }


def _expected_shapes(model: WovenTransformer, num_experts: int, rank: int) -> dict[str, tuple[int, ...]]:
    dim, shapes = model.inner_dim, dict[str, tuple[int, ...]]()
    for name in (plain_name(name) for name, _ in model.named_modules() if name.endswith(".attn.prw")):
        shapes |= {f"{name}.router.{rows}": (num_experts, dim) for rows in ("choose", "disturb")}
        for number in range(num_experts):
            shapes[f"{name}.experts.{number}.down"] = (2, rank, dim)
            shapes[f"{name}.experts.{number}.up"] = (2, dim, rank)
    return shapes


def _check_headers(
    folder: Path, files: list[str], expected: Mapping[str, tuple[int, ...]], known: Mapping[str, tuple[int, ...]]
) -> None:
    """Compare the shapes in the files' headers, and those ``known``, with those expected, before memory is taken."""
    found = dict(known)
    for name in files:
        with _opened(folder / name) as file:
            found |= {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    _refuse_other_shapes(f"{folder} is damaged", found, expected)


def _refuse_other_shapes(
    fault: str, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        raise ValueError(
            f"{fault}: {len(wrong)} tensors do not fit, the first {wrong[0]}: "
            f"{found.get(wrong[0], 'missing')}, expected {expected.get(wrong[0], 'none')}"
        )


def _read(path: Path, expected_sum: str | None) -> dict[str, Tensor]:
    """The tensors of a file; ``expected_sum`` is None for the files of format 1, which had none."""
    with path.open("rb") as file:
        found_sum = hashlib.file_digest(file, "sha256").hexdigest()
    if expected_sum is not None and found_sum != expected_sum:
        raise ValueError(f"{path} is damaged: its sha256 is not the one in {INDEX}. Copy the folder again.")
    with _opened(path) as file:
        weights: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    _refuse_non_finite(weights, path)
    return weights


def _refuse_non_finite(weights: Mapping[str, Tensor], where: object) -> None:
    for name, weight in weights.items():
        if not weight.is_floating_point() or not weight.isfinite().all():
            raise ValueError(f"{where} holds {name} with values that are no finite numbers: its training went wrong")


@contextmanager
def _opened(path: Path) -> Generator[Any, None, None]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path} is not readable: {error}") from error


def _files(num_experts: int, routers: Sequence[int]) -> list[str]:
    return [*map(_expert_file, range(num_experts)), *map(_router_file, routers)]


def _expert_file(number: int) -> str:
    return f"expert-{number}.safetensors"


def _router_file(stage: int) -> str:
    return f"router-{stage}.safetensors"


def _part(state: Mapping[str, Tensor], inside: str, dtype: torch.dtype | None) -> dict[str, Tensor]:
    return {name: weight.to(dtype=dtype).contiguous() for name, weight in state.items() if inside in name}


def _written(path: Path, weights: dict[str, Tensor]) -> str:
    """Write the file unless it exists with this content, and return its sha256."""
    content = save(weights)
    if not (path.is_file() and path.read_bytes() == content):
        write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()
