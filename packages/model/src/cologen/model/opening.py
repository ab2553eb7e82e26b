"""Opens a pipeline by what names it: a base, an adapter, a device and a precision; shared by every command line."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cologen.model.hub_names import is_hub_name
from cologen.model.world_base import packaged_base

Offload = Literal["none", "model", "sequential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """Which pipeline: plain values, so that it can be written to a file and sent to another process.

    ``base`` is a folder of FLUX.1, FLUX.2 klein or Qwen-Image as diffusers writes it, or its name on the hub; None: a
    model trained on the synthetic dataset, of ``preset``, with ``weights`` (None: the bundled ones). ``device`` is
    torch's name of one.
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
    """A hash of what decides the pipeline's outputs: bundled weights and adapter in full, a part of each FLUX tensor.

    A base that is only a name on the hub is known by that name.

    Raises:
        FileNotFoundError, ValueError: the adapter or a file of weights is missing or damaged.
    """
    from cologen.model.adapter_index import WITH_KIND, read_index

    digest = hashlib.sha256(repr((spec.base, spec.preset, spec.stage)).encode())
    if spec.base is None:
        digest.update((spec.weights or packaged_base(spec.preset)).read_bytes())
    elif Path(spec.base).is_dir():
        for path in sorted(path for suffix in _DECISIVE for path in Path(spec.base).rglob(f"*{suffix}")):
            digest.update(f"{path.relative_to(spec.base)} {path.stat().st_size}".encode())
            for part in _tensors(path) if path.suffix == ".safetensors" else [path.read_bytes()]:
                digest.update(part)
    if spec.adapter is not None:
        index = read_index(spec.adapter)
        if index["format"] < WITH_KIND:  # so that outputs made before keep their fingerprint
            index["base"].pop("kind")
        digest.update(repr(sorted(index.items())).encode())
    return digest.hexdigest()[:16]


def _tensors(path: Path) -> Iterator[bytes]:
    """A file's header, and the beginning of each tensor: a merged LoRA may change attention alone."""
    with path.open("rb") as file:
        try:
            (length,) = struct.unpack("<Q", file.read(8))
            header = file.read(min(length, _LONGEST_HEADER))
            places = [each["data_offsets"][0] for name, each in json.loads(header).items() if name != "__metadata__"]
        except (struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is damaged: {error}. Copy it again.") from error
        yield header
        for place in sorted(places):
            file.seek(8 + length + place)
            yield file.read(_TENSOR_BYTES)


_DECISIVE = (".safetensors", ".json", ".model", ".txt", ".jinja")
"""Weights; the settings of model and scheduler; the tokenizers' words and chat templates."""
_TENSOR_BYTES = 4096
_LONGEST_HEADER = 100_000_000
"""Bytes, as safetensors itself has it."""


def fetched_base(base: str) -> str:
    """A base's folder. A name on the hub becomes the folder of its cache where it is FLUX.2's or Qwen-Image's, whose
    folder decides how it is opened and guided; FLUX.1's stays a name, which diffusers itself fetches.

    Raises:
        FileNotFoundError: there is no such folder, or the hub does not give it.
    """
    if Path(base).exists():
        return base
    if not is_hub_name(base):  # any other that does not exist is a folder that was mistyped
        raise FileNotFoundError(f"no FLUX folder at {base}")
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        index = json.loads(Path(hf_hub_download(base, "model_index.json")).read_text())
        if not str(index.get("_class_name")).startswith(("Flux2", "QwenImage")):
            return base
        return snapshot_download(base, allow_patterns=list(_PARTS_OF_A_FOLDER))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FileNotFoundError(f"no folder {base}, and the hub did not give such a base: {error}") from error


_PARTS_OF_A_FOLDER = ("*.json", "scheduler/*", "text_encoder/*", "tokenizer/*", "transformer/*", "vae/*")
"""Beside which FLUX.2's repositories hold the transformer once more, in one file."""


def open_pipeline(spec: PipelineSpec) -> Any:
    """The ``CoLoGenPipeline``, with its adapter, on its device.

    Raises:
        FileNotFoundError: no such base, weights or adapter.
        ValueError: they are damaged, or do not fit together.
    """
    # Here, since torch and diffusers take seconds to import, which a command's --help need not wait for.
    import torch

    from cologen.model.bundle import build, load
    from cologen.model.pipeline import CoLoGenPipeline
    from cologen.model.presets import base_kind_of, preset, preset_of

    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    dtype = dtypes[spec.dtype]
    if spec.base is None:
        model = build(preset(spec.preset), weights=spec.weights or packaged_base(spec.preset), dtype=dtype)
        pipeline = CoLoGenPipeline.from_bundle(model)
    else:
        base = fetched_base(spec.base)
        if base_kind_of(Path(base)) == "flux.1":
            pipeline = CoLoGenPipeline.from_pretrained(base, dtype=dtype)
        else:
            bundle = load(preset_of(Path(base)), Path(base), dtype=dtype)
            pipeline = CoLoGenPipeline.from_bundle(bundle)
    if spec.adapter is not None:
        pipeline.load_adapter(spec.adapter, spec.stage)
    if spec.offload == "model":
        pipeline.enable_model_cpu_offload(device=spec.device)
    elif spec.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=spec.device)
    else:
        pipeline.to(spec.device)
    return pipeline
