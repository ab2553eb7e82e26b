"""Reads and checks ``adapter.json``, which carries a checksum of its content."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from cologen.model.expert_pool import SourceTimestep
from cologen.model.weaving import Granularity

INDEX = "adapter.json"
FORMAT = 3
"""Format 2 added the checksums of the files, format 3 the kind of the base. Folders of format 1 are read without
checksums; those of formats 1 and 2 are of FLUX.1."""

BaseKind = Literal["flux.1", "flux.2", "qwen-image"]
"""The kind of transformer that a base is."""

_COMMON = ("in_channels", "num_layers", "num_single_layers", "attention_head_dim", "num_attention_heads")
SHAPES: Mapping[BaseKind, tuple[str, ...]] = MappingProxyType(
    {
        "flux.1": (*_COMMON, "joint_attention_dim", "pooled_projection_dim"),
        "flux.2": (*_COMMON, "joint_attention_dim", "mlp_ratio"),
        "qwen-image": ("in_channels", "num_layers", "attention_head_dim", "num_attention_heads", "joint_attention_dim"),
    }
)
"""The fields of ``base`` beside its kind, in which an adapter has to match the model."""

FORM = ("rank", "expert_scale", "routing", "source_timestep")
"""The fields of ``form``: the settings of the experts."""

_MOST_BYTES = 16 << 20
WITH_KIND = 3
"""The first format that says it."""


def with_sum(index: Mapping[str, Any]) -> dict[str, Any]:
    """The index with the checksum of its content added."""
    content = json.dumps(index, sort_keys=True).encode()
    return {**index, "sum": hashlib.sha256(content).hexdigest()}


def read_index(folder: Path) -> dict[str, Any]:
    """The checked content of a folder's index.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, was changed by hand, or is of another version.
    """
    path = folder / INDEX
    if not path.is_file():
        raise FileNotFoundError(f"no adapter in {folder}: expected {INDEX} there")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is not the JSON of an adapter: it has more than {_MOST_BYTES >> 20} MB")
    try:
        index = json.loads(path.read_text())
        _check(index)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not the JSON of an adapter: {error!r}") from error
    return index


def refuse_other(there: Mapping[str, Any], here: Mapping[str, Any], folder: Path) -> None:
    """Refuse an adapter that does not fit the model; the message names every field that differs.

    Raises:
        ValueError: a field differs.
    """
    differences = [
        f"{name} {there[group].get(name, 'unknown')} there, {here[group][name]} here"
        for group in ("base", "form")
        if group in there
        for name in here[group]
        if there[group].get(name) != here[group][name]
    ]
    if differences:
        raise ValueError(f"the adapter in {folder} belongs to another model: {'; '.join(differences)}")


def _check(index: Any) -> None:
    """Check every value of an adapter's index; any exception means that it is invalid."""
    if index["format"] not in range(1, FORMAT + 1):
        raise ValueError(f"format {index['format']!r} there, {FORMAT} here: made by another version")
    if index["format"] == 1:
        index["files"] = {}
    elif with_sum({name: value for name, value in index.items() if name != "sum"})["sum"] != index["sum"]:
        raise ValueError("its content does not have the sum that was written: it is damaged or was changed by hand")
    base, form = index["base"], index["form"]
    if index["format"] < WITH_KIND:
        base["kind"] = "flux.1"
    if base["kind"] not in SHAPES:
        raise ValueError(f"its base is of the kind {base['kind']!r}: expected one of {', '.join(SHAPES)}")
    fields = ("kind", *SHAPES[base["kind"]])
    if set(base) != set(fields) or set(form) != set(FORM):
        raise ValueError(f"base and form do not hold {', '.join((*fields, *FORM))}")
    if form["routing"] not in get_args(Granularity) or form["source_timestep"] not in get_args(SourceTimestep):
        raise ValueError(f"routing is {form['routing']!r}, source_timestep is {form['source_timestep']!r}")
    whole = (index["experts"], form["rank"], *index["routers"])
    if not all(type(number) is int for number in whole) or min(index["experts"], form["rank"]) < 1:
        raise ValueError(f"experts, rank and routers are not whole numbers: {whole}")
    if not all(0 <= number < index["experts"] for number in index["routers"]):
        raise ValueError(f"routers are {index['routers']} of {index['experts']} experts")
    # There is one file per expert; absurd numbers are refused before anything of that size is allocated.
    num_files, num_routers = len(index["files"]), len(index["routers"])
    if index["format"] > 1 and num_files != index["experts"] + num_routers:
        raise ValueError(f"{index['experts']} experts and {num_routers} routers in {num_files} files")
    form["expert_scale"], index["newcomer_bias"] = float(form["expert_scale"]), float(index["newcomer_bias"])
    if not (math.isfinite(form["expert_scale"]) and math.isfinite(index["newcomer_bias"])):
        raise ValueError(f"expert_scale is {form['expert_scale']}, newcomer_bias is {index['newcomer_bias']}")
