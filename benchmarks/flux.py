"""FLUX at random weights for the benchmarks: its full shape, or one that shrinks without changing the proportions.

Width and tokens are divided by the same number, heads keep their 128 channels: so attention and matrices keep the
shares of the whole that they have at the full shape, and every ratio of operations is that of FLUX.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, cast

import torch
from torch import Tensor, nn

from cologen.model.costs import Shape, Tokens
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.source import SourceTokens
from cologen.model.weaving import Granularity, ProgressiveRepresentationWeaving

SIDES = (512, 1024)


@dataclass(frozen=True, kw_only=True)
class Flux:
    """A model with ``num_experts`` experts, made of FLUX's shape divided by ``divisor``, with fewer blocks."""

    divisor: int
    num_layers: int
    num_single_layers: int
    device: torch.device
    dtype: torch.dtype
    num_experts: int = 5

    @classmethod
    def on(cls, device: torch.device) -> Flux:
        """All 12 B in bf16 on a GPU, a quarter of the width and 3 of the 57 blocks in float32 elsewhere."""
        if device.type == "cuda":
            return cls(divisor=1, num_layers=19, num_single_layers=38, device=device, dtype=torch.bfloat16)
        return cls(divisor=4, num_layers=1, num_single_layers=2, device=device, dtype=torch.float32)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Those of ``CoLoGenTransformer2DModel``."""
        return {
            "num_layers": self.num_layers,
            "num_single_layers": self.num_single_layers,
            "num_attention_heads": 24 // self.divisor,
            "joint_attention_dim": 4096 // self.divisor,
            "guidance_embeds": True,
            "rank": 128 // self.divisor,
            "num_experts": self.num_experts,
        }

    @cached_property
    def shape(self) -> Shape:
        """What its costs are counted from."""
        return Shape.of(self.arguments)

    @cached_property
    def model(self) -> CoLoGenTransformer2DModel:
        """The base in ``dtype``, experts and routers in float32, as in training."""
        with torch.device("meta"):
            model = CoLoGenTransformer2DModel(**self.arguments)
        nn.Module.to(model, self.dtype)  # diffusers' own warns of modules to be kept in float32 when there are none
        for pool in pools_of(model):
            pool.float()
        _draw(model.to_empty(device=self.device))
        return model.requires_grad_(False)

    def tokens(self, side: int) -> Tokens:
        """Those of a square picture with a source of the same size and FLUX's 512 tokens of text."""
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
            "img_ids": torch.rand(image, 3, device=self.device),
            "txt_ids": torch.zeros(text, 3, device=self.device),
        }

    def source(self, tokens: int, batch: int = 1) -> SourceTokens:
        """A source of that many tokens."""
        latents = self._random(batch, tokens, self.shape.in_channels)
        return SourceTokens(latents, torch.rand(tokens, 3, device=self.device))

    def pooled(self, batch: int = 1) -> Tensor:
        """A pooled prompt."""
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
