"""Keeps the frozen blocks of a base in the CPU's memory; each is on the GPU only while it computes (block swap).

Offloading in groups, as diffusers has it, moves all weights of a block, and so would take those that train from the
optimizer. Here only what is frozen moves, and since it never changes, nothing is copied back. A block waits for its own
copy: none is fetched ahead.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def offload_blocks(blocks: Iterable[nn.Module], device: torch.device) -> None:
    """Move the weights that ``blocks`` have now to the CPU, for good; weights added later stay where they are put.

    Training needs gradient checkpointing: a block's second forward pass fetches its weights for its backward pass,
    which releases them. Between calls a weight is empty, on ``device``.
    """
    for block in blocks:
        weights = _Weights(block, device)
        weights.release()
        block.register_forward_pre_hook(lambda *_, weights=weights: weights.fetch())
        # Checkpointing ends a second forward pass by an exception as soon as it has what it needs.
        block.register_forward_hook(lambda *_, weights=weights: weights.release(), always_call=True)


class _Weights:
    """The weights of a block, in the CPU's memory.

    Each time a weight comes it is a new object: autograd may have saved the one before.
    """

    def __init__(self, block: nn.Module, device: torch.device) -> None:
        self._device = device
        self._home = [
            (module, name, weight.detach().cpu())
            for module in block.modules()
            for name, weight in module.named_parameters(recurse=False)
        ]
        if device.type == "cuda":
            self._home = [(module, name, data.pin_memory()) for module, name, data in self._home]

    def fetch(self) -> None:
        for module, name, data in self._home:
            here = data.to(self._device, non_blocking=True)
            setattr(module, name, nn.Parameter(here, requires_grad=False))

    def release(self) -> None:
        """What autograd has saved stays until it is used."""
        for module, name, data in self._home:
            nothing = torch.empty(0, dtype=data.dtype, device=self._device)
            setattr(module, name, nn.Parameter(nothing, requires_grad=False))
