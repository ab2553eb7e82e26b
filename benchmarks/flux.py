"""FLUX.1 and FLUX.2 klein at random weights for the benchmarks: the full shape, or one in the same proportions.

Width and tokens are divided by the same number, heads keep their 128 channels: so attention and matrices keep the
shares of the whole that they have at the full shape, and every ratio of operations is that of the full shape.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, cast

import torch
from torch import Tensor, nn

from cologen.model.adapter_index import BaseKind
from cologen.model.costs import Shape, Tokens
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.flux2 import CoLoGenFlux2Transformer2DModel
from cologen.model.presets import Preset, preset
from cologen.model.source import SourceTokens
from cologen.model.transformer import WovenTransformer
from cologen.model.weaving import Granularity, ProgressiveRepresentationWeaving

SIDES = (512, 1024)

_PRESETS: Mapping[BaseKind, str] = {"flux.1": "flux-dev", "flux.2": "klein-base-4b"}
_CLASSES: Mapping[BaseKind, type[WovenTransformer]] = {
    "flux.1": CoLoGenTransformer2DModel,
    "flux.2": CoLoGenFlux2Transformer2DModel,
}


@dataclass(frozen=True, kw_only=True)
class Flux:
    """A model with ``num_experts`` experts, made of a base's shape divided by ``divisor``, with fewer blocks."""

    base: BaseKind
    divisor: int
    num_layers: int
    num_single_layers: int
    device: torch.device
    dtype: torch.dtype
    num_experts: int = 5

    @classmethod
    def on(cls, device: torch.device, base: BaseKind = "flux.1") -> Flux:
        """All of it in bf16 on a GPU; a quarter of the width, one double-stream block and its share of single-stream
        blocks in float32 elsewhere."""
        full = preset(_PRESETS[base]).transformer
        layers, singles = full["num_layers"], full["num_single_layers"]
        if device.type == "cuda":
            divisor, dtype = 1, torch.bfloat16
        else:
            divisor, dtype, singles, layers = 4, torch.float32, singles // layers, 1
        return cls(base=base, divisor=divisor, num_layers=layers, num_single_layers=singles, device=device, dtype=dtype)

    @property
    def preset(self) -> Preset:
        """The full shape."""
        return preset(_PRESETS[self.base])

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Those of the transformer's class."""
        full = self.preset.transformer
        smaller = {name: full[name] // self.divisor for name in ("num_attention_heads", "joint_attention_dim", "rank")}
        blocks = {"num_layers": self.num_layers, "num_single_layers": self.num_single_layers}
        return {**full, **smaller, **blocks, "num_experts": self.num_experts}

    @cached_property
    def shape(self) -> Shape:
        """What its costs are counted from."""
        return Shape.of({**self.arguments, "base": self.base})

    @cached_property
    def model(self) -> Any:
        """The base in ``dtype``, experts and routers in float32, as in training."""
        with torch.device("meta"):
            model: Any = _CLASSES[self.base](**self.arguments)
        nn.Module.to(model, self.dtype)  # diffusers' own warns of modules to be kept in float32 when there are none
        for pool in pools_of(model):
            pool.float()
        _draw(model.to_empty(device=self.device))
        return model.requires_grad_(False)

    def tokens(self, side: int) -> Tokens:
        """Those of a square picture with a source of the same size and 512 tokens of text."""
        image = (side // 16) ** 2 // self.divisor
        return Tokens(image=image, text=512 // self.divisor, sources=(image,))

    def inputs(self, image: int, text: int, batch: int = 1) -> dict[str, Tensor]:
        """What a step is given."""
        return {
            "hidden_states": self._random(batch, image, self.shape.in_channels),
            "encoder_hidden_states": self._random(batch, text, self.shape.joint_attention_dim),
            "pooled_projections": self.pooled(batch),
            "timestep": torch.full((batch,), 0.5, device=self.device, dtype=self.dtype),
            "guidance": torch.ones(batch, device=self.device, dtype=self.dtype),
            "img_ids": torch.rand(image, self._axes, device=self.device),
            "txt_ids": torch.zeros(text, self._axes, device=self.device),
        }

    def source(self, tokens: int, batch: int = 1) -> SourceTokens:
        """A source of that many tokens."""
        latents = self._random(batch, tokens, self.shape.in_channels)
        return SourceTokens(latents, torch.rand(tokens, self._axes, device=self.device))

    def pooled(self, batch: int = 1) -> Tensor:
        """A pooled prompt, which FLUX.2 ignores."""
        return self._random(batch, self.shape.pooled_projection_dim)

    def pools(self, num_experts: int, routing: Granularity) -> list[ProgressiveRepresentationWeaving]:
        """Other pools for all blocks, to be put in place of the model's by ``install``."""
        pools = list[ProgressiveRepresentationWeaving]()
        for _ in range(self.shape.num_blocks):
            pool = ProgressiveRepresentationWeaving(self.shape.dim, self.shape.rank, 2.0, routing)
            for _ in range(num_experts):
                pool.add_expert(dtype=torch.float32, device=self.device)
            _draw(pool)
            pools.append(pool.requires_grad_(False))
        return pools

    def install(self, pools: list[ProgressiveRepresentationWeaving]) -> None:
        """One pool for each block."""
        for attn, pool in zip(_attentions(self.model), pools, strict=True):
            attn.prw = pool

    def seconds(self, ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
        """How long each way takes, in rounds in which all take their turn after one that warms up.

        On the CPU these are seconds of this process, which a busy machine stretches less than those on the wall.
        """
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds + 1):
            for way, run in ways.items():
                start = self._clock()
                run()
                if number:
                    taken[way].append(self._clock() - start)
        return taken

    def _clock(self) -> float:
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()

    @property
    def _axes(self) -> int:
        """Numbers in a position id."""
        axes: Sequence[int] = self.preset.transformer["axes_dims_rope"]
        return len(axes)

    def _random(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self.device, dtype=self.dtype)


def pools_of(model: nn.Module) -> list[ProgressiveRepresentationWeaving]:
    """Those of all blocks."""
    return [module for module in model.modules() if isinstance(module, ProgressiveRepresentationWeaving)]


def ratio(taken: Mapping[str, list[float]], way: str, other: str) -> float:
    """How many times as long one way takes as the other: the median over rounds."""
    return median(a / b for a, b in zip(taken[way], taken[other], strict=True))


def _attentions(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if hasattr(module, "prw")]


@torch.no_grad()
def _draw(module: nn.Module) -> None:
    """Numbers of a size that neither grow nor vanish through the blocks; experts are not left at zero."""
    for name, weight in module.named_parameters():
        if weight.ndim > 1:
            cast(Tensor, weight).normal_(std=weight.shape[-1] ** -0.5)
        else:
            weight.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
