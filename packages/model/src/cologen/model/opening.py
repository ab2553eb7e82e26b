"""Opens a pipeline by what names it: a base, an adapter, a device and a precision; shared by every command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch

from cologen.model.bundle import build
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import preset
from cologen.model.world_base import packaged_base

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
)

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


def open_pipeline(spec: PipelineSpec) -> CoLoGenPipeline:
    """The pipeline, with its adapter, on its device.

    Raises:
        FileNotFoundError: no such base, weights or adapter.
        ValueError: they are damaged, or do not fit together.
    """
    dtype = DTYPES[spec.dtype]
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
