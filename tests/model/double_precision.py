"""Bases turn queries and keys in single precision, whatever theirs is, and Qwen-Image takes root mean squares in it;
laws that hold to 1e-12 need more digits than that."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.normalization import RMSNorm
from diffusers.models.transformers import transformer_qwenimage
from diffusers.models.transformers.transformer_qwenimage import apply_rotary_emb_qwen
from torch import Tensor
from torch.nn.functional import rms_norm

from cologen.model import attention, qwen_image


class _Double(torch.Tensor):
    def float(self, *_: Any, **__: Any) -> Tensor:  # what diffusers calls to come down to single precision
        return self.as_subclass(torch.Tensor).double()


def compute_in_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our processors and Qwen-Image's own compute in double precision throughout."""
    monkeypatch.setattr(attention, "apply_rotary_emb", _turned)
    for module in (qwen_image, transformer_qwenimage):
        monkeypatch.setattr(module, "apply_rotary_emb_qwen", _turned_as_qwen_image)
    monkeypatch.setattr(RMSNorm, "forward", _normed)


def _turned(heads: Tensor, rotary: Any, sequence_dim: int) -> Tensor:
    return apply_rotary_emb(heads.as_subclass(_Double), rotary, sequence_dim=sequence_dim).as_subclass(torch.Tensor)


def _turned_as_qwen_image(heads: Tensor, turns: Any, use_real: bool) -> Tensor:
    turned: Any = apply_rotary_emb_qwen(heads.as_subclass(_Double), turns, use_real=use_real)
    return turned.as_subclass(torch.Tensor)


def _normed(norm: Any, hidden: Tensor) -> Tensor:
    return rms_norm(hidden, norm.dim, norm.weight, norm.eps)
