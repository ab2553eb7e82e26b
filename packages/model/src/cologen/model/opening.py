"""Opens a pipeline by what names it: a base, an adapter, a device and a precision; shared by every command line."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cologen.model.world_base import packaged_base

Offload = Literal["none", "model", "sequential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """Which pipeline: plain values, so that it can be written to a file and sent to another process.

    ``base`` is a FLUX.1 folder as diffusers writes it, or its name on the hub; None: a model trained on the synthetic
    dataset, of ``preset``, with ``weights`` (None: the bundled ones). ``device`` is torch's name of one.
    """

    base: str | None = None
    preset: str = "world-tiny"
    weights: Path | None = None
    adapter: Path | None = None
    stage: int | None = None
    device: str = "cpu"
    dtype: str = "float32"
    offload: Offload = "none"

    @property
    def base_name(self) -> str:
        """The base as a reader of a report would name it."""
        return self.base or f"{self.preset} ({(self.weights or packaged_base(self.preset)).name})"


def fingerprint(spec: PipelineSpec) -> str:
    """A hash of what decides the pipeline's outputs: weights and adapter in full, a FLUX folder by its files' ends.

    A base that is only a name on the hub is known by that name.

    Raises:
        FileNotFoundError, ValueError: the adapter is missing or damaged.
    """
    from cologen.model.adapter_index import read_index

    digest = hashlib.sha256(repr((spec.base, spec.preset, spec.stage)).encode())
    if spec.base is None:
        digest.update((spec.weights or packaged_base(spec.preset)).read_bytes())
    elif Path(spec.base).is_dir():
        for path in sorted(Path(spec.base).rglob("*.safetensors")):
            digest.update(f"{path.relative_to(spec.base)} {path.stat().st_size}".encode())
            digest.update(_ends(path))
    if spec.adapter is not None:
        digest.update(repr(sorted(read_index(spec.adapter).items())).encode())
    return digest.hexdigest()[:16]


def _ends(path: Path) -> bytes:
    """The first and the last megabyte: a file's header, and weights of its last layers."""
    with path.open("rb") as file:
        first = file.read(_END_BYTES)
        file.seek(max(0, path.stat().st_size - _END_BYTES))
        return first + file.read(_END_BYTES)


_END_BYTES = 1 << 20


def open_pipeline(spec: PipelineSpec) -> Any:
    """The ``CoLoGenPipeline``, with its adapter, on its device.

    Raises:
        FileNotFoundError: no such base, weights or adapter.
        ValueError: they are damaged, or do not fit together.
    """
    # Here, since torch and diffusers take seconds to import, which a command's --help need not wait for.
    import torch

    from cologen.model.bundle import build
    from cologen.model.pipeline import CoLoGenPipeline
    from cologen.model.presets import preset

    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    dtype = dtypes[spec.dtype]
    if spec.base is None:
        model = build(preset(spec.preset), weights=spec.weights or packaged_base(spec.preset), dtype=dtype)
        pipeline = CoLoGenPipeline.from_bundle(model)
    else:
        # A hub's name is owner/name; any other that does not exist is a folder that was mistyped.
        if not Path(spec.base).exists() and not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", spec.base):
            raise FileNotFoundError(f"no FLUX folder at {spec.base}")
        pipeline = CoLoGenPipeline.from_pretrained(spec.base, dtype=dtype)
    if spec.adapter is not None:
        pipeline.load_adapter(spec.adapter, spec.stage)
    if spec.offload == "model":
        pipeline.enable_model_cpu_offload(device=spec.device)
    elif spec.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=spec.device)
    else:
        pipeline.to(spec.device)
    return pipeline
