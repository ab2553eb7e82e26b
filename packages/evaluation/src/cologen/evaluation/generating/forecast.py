"""What generating a benchmark's outputs will take: operations counted from the base's shape, hours on a kind of GPU."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cologen.evaluation.records import Question
from cologen.model.costs import Flops, Shape, Tokens, cached_step, source_pass
from cologen.model.gpus import Gpu
from cologen.model.opening import PipelineSpec
from cologen.model.presets import PRESETS, Preset, base_kind_of, preset, preset_of

UTILIZATION = 0.4
"""The share of a GPU's peak that denoising is assumed to reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Operations of one output on average, and of all."""

    num_outputs: int
    flops_per_output: float

    def hours(self, gpu: Gpu, *, utilization: float = UTILIZATION) -> float:
        """GPU hours of all outputs; text encoders and codec are left out, which take a few per cent."""
        return self.num_outputs * self.flops_per_output / (gpu.peak * utilization) / 3600


def forecast(
    spec: PipelineSpec, settings: Mapping[str, Any], questions: Sequence[Question], num_outputs: int
) -> Forecast:
    """The mean over some of the benchmark's questions stands for all of them."""
    base, shape = _base(spec)
    steps = int(settings.get("num_inference_steps", base.num_steps))
    passes = 2 if settings.get("true_cfg_scale", base.cfg) > 1 else 1
    flops = [_flops(base, shape, question, steps, passes).total for question in questions]
    return Forecast(num_outputs=num_outputs, flops_per_output=sum(flops) / max(1, len(flops)))


def _flops(base: Preset, shape: Shape, question: Question, steps: int, passes: int) -> Flops:
    aligned = question.task != "customized"
    height, width = question.pictures[0].shape[:2] if question.pictures and aligned else (base.side, base.side)
    height, width = question.height or height, question.width or width
    scale = min(1.0, base.side / (height * width) ** 0.5)
    image = round(height * scale / base.stride) * round(width * scale / base.stride)
    tokens = Tokens(image=image, text=base.text_tokens, sources=(image,) * len(question.pictures))
    step = cached_step(shape, tokens)
    return sum([step] * (steps * passes), source_pass(shape, tokens))


def _base(spec: PipelineSpec) -> tuple[Preset, Shape]:
    """The preset whose usual settings hold, and the shape; a folder's own config says it, a hub's name means dev."""
    if spec.base is None:
        base = preset(spec.preset)
        return base, _shape(base)
    config = Path(spec.base) / "transformer" / "config.json"
    if not config.is_file():
        base = PRESETS["flux-schnell" if "schnell" in spec.base.lower() else "flux-dev"]
        return base, _shape(base)
    if base_kind_of(Path(spec.base)) != "flux.1":
        base = preset_of(Path(spec.base))
        return base, _shape(base)
    held = json.loads(config.read_text())
    distilled = "flux-dev" if held.get("guidance_embeds") else "flux-schnell"
    name = "flux-fill" if held.get("in_channels") == 384 else distilled
    return PRESETS[name], _shape(PRESETS[name], held)


def _shape(base: Preset, held: Mapping[str, Any] = MappingProxyType({})) -> Shape:
    """The preset's shape, as far as a folder's configuration does not say otherwise."""
    return Shape.of(dict(base.transformer) | dict(held) | {"base": base.base, "num_experts": 1})
