"""Text encoders with weights as training uses them: a fixed number of prompts at once, and off the GPU in between."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cologen.model.text import Prompts

BATCH = 4
"""Prompts that FLUX's encoders read at once: T5's products fill a GPU, and its attention takes 0.3 GB."""


class FixedBatches(nn.Module):
    """A text encoder that always reads ``size`` prompts at once, empty ones where there are too few.

    Products of another shape are computed by another kernel and differ in the last bits. With one shape, a prompt's
    embedding does not depend on the prompts beside it, so cached embeddings and continued runs are the same to the bit.
    """

    def __init__(self, encoder: nn.Module, size: int = BATCH) -> None:
        super().__init__()
        self.encoder, self.size = encoder, size

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """``ceil(len(prompts) / size)`` calls of one shape."""
        encoder: Any = self.encoder
        filled = [*prompts, *[""] * (-len(prompts) % self.size)]
        batches = [encoder.encode(filled[i : i + self.size]) for i in range(0, len(filled), self.size)]
        embeds, pooled = (torch.cat([getattr(each, name) for each in batches]) for name in ("embeds", "pooled"))
        return Prompts(embeds[: len(prompts)], pooled[: len(prompts)])


class Offloaded(nn.Module):
    """A text encoder whose weights are in the CPU's memory, and on ``device`` only while it encodes.

    The results are on ``device``, and the same as those of an encoder that stays there.
    """

    def __init__(self, encoder: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.encoder, self.device = encoder.to("cpu"), device
        self.place = device.type
        if device.type == "cuda":
            for tensor in self._tensors():
                tensor.data = tensor.data.pin_memory()

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Copy the weights to the device, encode, and free the device's memory."""
        encoder: Any = self.encoder
        with self._brought():
            return encoder.encode(prompts)

    @contextmanager
    def _brought(self) -> Generator[None, None, None]:
        home = [(tensor, tensor.data) for tensor in self._tensors()]
        try:
            for tensor, data in home:
                tensor.data = data.to(self.device, non_blocking=True)
            yield
        finally:
            for tensor, data in home:  # the weights do not change, so nothing is copied back
                tensor.data = data

    def _tensors(self) -> list[Tensor]:
        return [*self.encoder.parameters(), *self.encoder.buffers()]
