"""A source's tokens, and the cache of its keys and values for each block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cologen.model.routing import Routing

Heads = Float[Tensor, "batch tokens heads head_dim"]


@dataclass(frozen=True)
class SourceTokens:
    """A source image's packed latents with the position ids of the base: of FLUX.1 (k, row, column), k = 1 for
    the first source."""

    tokens: Float[Tensor, "batch source_tokens channels"]
    ids: Float[Tensor, "source_tokens axes"]


@dataclass(frozen=True)
class SourceCache:
    """K_ĥ and V_ĥ of every block (eq. 4), normalised and rotated by their positions (RoPE).

    It is valid for one batch of sources, one pooled prompt and one state of the weights. It stores none of them: a
    caller that keeps it has to make sure that they did not change.
    """

    keys: tuple[Heads, ...]
    values: tuple[Heads, ...]
    routing: Routing | None
    """None where there is no expert yet."""

    @property
    def batch(self) -> int:
        """How many samples it serves."""
        return self.keys[0].shape[0]

    @classmethod
    def join(cls, caches: Sequence[SourceCache]) -> SourceCache:
        """Several sources of the same samples as one: each was encoded alone, and all are attended to."""
        if not caches:
            raise ValueError("there is no source to join")
        if len(caches) == 1:  # not copied: in training the originals stay as well
            return caches[0]
        routings = [cache.routing for cache in caches if cache.routing is not None]
        return cls(
            keys=tuple(torch.cat(keys, dim=1) for keys in zip(*(cache.keys for cache in caches), strict=True)),
            values=tuple(torch.cat(values, dim=1) for values in zip(*(cache.values for cache in caches), strict=True)),
            routing=Routing.join(routings) if routings else None,
        )

    def repeated(self, times: int) -> SourceCache:
        """The same samples ``times`` in a row, as a batch of guidance branches or of several draws has them."""
        return SourceCache(
            keys=tuple(key.repeat(times, 1, 1, 1) for key in self.keys),
            values=tuple(value.repeat(times, 1, 1, 1) for value in self.values),
            routing=self.routing,
        )


_Entry = tuple[Heads, Heads, Tensor | None, Tensor | None]
"""Keys, values, and of the router: softmax(w) and its slope."""


class SourceReader:
    """Gives each block its part of a cache. It is no dataclass, since FSDP would copy the whole cache for every
    block."""

    def __init__(self, cache: SourceCache) -> None:
        self._cache = cache

    def part_of(self, block: int) -> tuple[Heads, Heads]:
        """Keys and values for one block."""
        return _gradient_alone(self._cache.keys[block]), _gradient_alone(self._cache.values[block])


class _GradientAlone(torch.autograd.Function):
    """The identity, whose gradient is a tensor of its own.

    The gradient of a source's keys is cut out of that of all keys which a block attends to, and waits until the
    source's own backward pass. A view would keep all of the larger tensor in memory until then, for every block.
    """

    @staticmethod
    def forward(given: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return given.view_as(given)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].clone()


def _gradient_alone(given: Heads) -> Heads:
    return cast(Tensor, _GradientAlone.apply(given))


class SourceWriter:
    """Collects a cache while the base model runs over a source: one entry per block, in their order.

    ``noise`` is ε of eq. 2 for every block, or None; ``task_experts`` is as in ``Routing``. It is no dataclass, since
    FSDP copies dataclasses that are passed to a block.
    """

    def __init__(
        self,
        noise: Float[Tensor, "batch blocks *tokens experts"] | None = None,
        newcomer_bias: float = 0.0,
        task_experts: Int[Tensor, "batch"] | None = None,
    ) -> None:
        self.noise, self.newcomer_bias, self.task_experts = noise, newcomer_bias, task_experts
        self._entries: list[_Entry] = []
        self._again: _Entry | None = None

    def noise_of(self, block: int) -> Tensor | None:
        """ε of one block."""
        return None if self.noise is None else self.noise[:, block]

    def record(
        self, block: int, key: Heads, value: Heads, probability: Tensor | None, slope: Tensor | None = None
    ) -> None:
        """Store a block's keys and values.

        Gradient checkpointing runs a block a second time, when its entry is there already. The results pass through
        here again all the same: a compiled block whose second run had fewer results would save other tensors, and
        checkpointing, which matches them by order, would silently compute wrong gradients.
        """
        entry = (key, value, probability, slope)
        if block == len(self._entries):
            self._entries.append(entry)
        else:
            self._again = entry

    def cache(self) -> SourceCache:
        """The collected cache."""
        keys, values, probabilities, slopes = zip(*self._entries, strict=True)
        routing = None
        if known := [probability for probability in probabilities if probability is not None]:
            found = [slope for slope in slopes if slope is not None]
            routing = Routing(
                torch.stack(known, dim=1), torch.stack(found, dim=1) if found else None, self.task_experts
            )
        return SourceCache(keys, values, routing)
