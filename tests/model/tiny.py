"""A FLUX small enough for laws to be checked on it to the last digit, its inputs, and trained experts at random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.flux2 import CoLoGenFlux2Transformer2DModel
from cologen.model.qwen_image import CoLoGenQwenImageTransformer2DModel
from cologen.model.source import SourceTokens
from cologen.model.tokens import as_qwen_image, qwen_image_text_ids
from cologen.model.transformer import WovenTransformer

SHAPE: dict[str, Any] = {
    "in_channels": 8,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "joint_attention_dim": 12,
    "pooled_projection_dim": 10,
    "axes_dims_rope": (2, 2, 4),
}
"""Two blocks of each kind, width 16."""

SHAPE2: dict[str, Any] = {name: value for name, value in SHAPE.items() if name != "pooled_projection_dim"} | {
    "axes_dims_rope": (2, 2, 2, 2),
    "guidance_embeds": False,
}
"""The same of FLUX.2."""

SHAPE3: dict[str, Any] = {
    "in_channels": 8,
    "out_channels": 2,
    "num_layers": 3,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "joint_attention_dim": 12,
    "axes_dims_rope": (2, 2, 4),
    "zero_cond_t": True,
}
"""Three blocks of Qwen-Image."""

FORM: dict[str, Any] = {"rank": 3, "expert_scale": 2.0}


_Made = TypeVar("_Made", bound=WovenTransformer)


def tiny(num_experts: int = 0, **arguments: Any) -> CoLoGenTransformer2DModel:
    """FLUX.1 at random weights, in evaluation mode, whose experts and routers are as if trained."""
    return _made(CoLoGenTransformer2DModel, num_experts, **{**SHAPE, **arguments})


def tiny2(num_experts: int = 0, **arguments: Any) -> CoLoGenFlux2Transformer2DModel:
    """The same of FLUX.2."""
    return _made(CoLoGenFlux2Transformer2DModel, num_experts, **{**SHAPE2, **arguments})


def tiny3(num_experts: int = 0, **arguments: Any) -> CoLoGenQwenImageTransformer2DModel:
    """The same of Qwen-Image."""
    return _made(CoLoGenQwenImageTransformer2DModel, num_experts, **{**SHAPE3, **arguments})


def _made(
    kind: type[_Made], num_experts: int, *, seed: int = 0, dtype: torch.dtype = torch.float64, **arguments: Any
) -> _Made:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(**{**FORM, **arguments})
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)  # as .to() does, less its warning about layers that FLUX does not have
    for _ in range(num_experts):
        model.add_expert(seed, dtype=dtype)
    model.newcomer_bias = 0.0
    train_at_random(model, seed)
    return model.eval()


def train_at_random(model: WovenTransformer, seed: int = 0) -> None:
    """Give every expert something to say, and every router something to choose by."""
    generator = torch.Generator().manual_seed(seed + 1)
    for name, weight in model.named_parameters():
        if ".prw.router." in name or name.endswith(".up"):
            weight.data.copy_(0.5 * torch.randn(weight.shape, generator=generator))


@dataclass(frozen=True)
class Inputs:
    """A batch of everything that a model is called with."""

    noisy: Tensor
    text: Tensor
    pooled: Tensor
    timestep: Tensor
    sources: tuple[SourceTokens, ...]
    img_ids: Tensor
    txt_ids: Tensor
    guidance: Tensor | None = None
    text_mask: Tensor | None = None

    def stock(self) -> dict[str, Any]:
        """The arguments that the stock model knows."""
        pooled = {"pooled_projections": self.pooled} if self.pooled.shape[1] else {}
        masked = {} if self.text_mask is None else {"encoder_hidden_states_mask": self.text_mask}
        return (
            pooled
            | masked
            | {
                "hidden_states": self.noisy,
                "encoder_hidden_states": self.text,
                "timestep": self.timestep,
                "img_ids": self.img_ids,
                "txt_ids": self.txt_ids,
                "guidance": self.guidance,
            }
        )

    def differentiable(self) -> dict[str, Tensor]:
        """What gradients are asked for, by name."""
        named = {"noisy": self.noisy, "text": self.text} | ({"pooled": self.pooled} if self.pooled.shape[1] else {})
        return named | {f"source {number}": each.tokens for number, each in enumerate(self.sources)}

    def share(self, start: int, stop: int) -> Inputs:
        """Samples ``start`` to ``stop``."""
        cut = slice(start, stop)
        return replace(
            self,
            noisy=self.noisy[cut],
            text=self.text[cut],
            pooled=self.pooled[cut],
            timestep=self.timestep[cut],
            sources=tuple(replace(each, tokens=each.tokens[cut]) for each in self.sources),
            guidance=None if self.guidance is None else self.guidance[cut],
            text_mask=None if self.text_mask is None else self.text_mask[cut],
        )


def grid(which: int, height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """(which, row, column) of every token."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.full_like(rows, which), rows, columns], dim=-1).reshape(-1, 3).to(dtype)


def inputs2(**asked: Any) -> Inputs:
    """``inputs`` as FLUX.2 takes them: no pooled text, and four axes of positions, sources being 10 apart."""
    given = inputs(**asked)
    text = torch.zeros(5, 4, dtype=given.txt_ids.dtype)
    text[:, 3] = torch.arange(5)
    return replace(
        given,
        pooled=given.pooled[:, :0],
        sources=tuple(replace(each, ids=_of_flux2(each.ids)) for each in given.sources),
        img_ids=_of_flux2(given.img_ids),
        txt_ids=text,
    )


def inputs3(*, lengths: tuple[int, ...] = (), **asked: Any) -> Inputs:
    """``inputs`` as Qwen-Image takes them: text of ``lengths`` padded to five tokens, positions around the middle."""
    given = inputs(**asked)
    return replace(
        given,
        pooled=given.pooled[:, :0],
        sources=tuple(
            replace(each, ids=as_qwen_image(each.ids, *side))
            for each, side in zip(given.sources, asked.get("sides", ((3, 2),)), strict=True)
        ),
        img_ids=as_qwen_image(given.img_ids, 3, 4),
        txt_ids=qwen_image_text_ids(5).to(given.txt_ids),
        text_mask=torch.arange(5) < torch.tensor(lengths)[:, None] if lengths else None,
    )


def _of_flux2(ids: Tensor) -> Tensor:
    return torch.cat([10 * ids[:, :1], ids[:, 1:], torch.zeros_like(ids[:, :1])], dim=1)


def inputs(
    *,
    batch: int = 3,
    seed: int = 0,
    sides: tuple[tuple[int, int], ...] = ((3, 2),),
    channels: int = SHAPE["in_channels"],
    guidance: bool = False,
    dtype: torch.dtype = torch.float64,
    gradients: bool = False,
) -> Inputs:
    """A noisy latent of 3 × 4 tokens, five text tokens, and one source of each of the ``sides`` in tokens."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        numbers = torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)
        return numbers.requires_grad_(gradients)

    return Inputs(
        noisy=draw(batch, 12, channels),
        text=draw(batch, 5, SHAPE["joint_attention_dim"]),
        pooled=draw(batch, SHAPE["pooled_projection_dim"]),
        timestep=torch.linspace(0.15, 0.9, batch, dtype=dtype),
        sources=tuple(
            SourceTokens(draw(batch, height * width, channels), grid(number, height, width, dtype))
            for number, (height, width) in enumerate(sides, start=1)
        ),
        img_ids=grid(0, 3, 4, dtype),
        txt_ids=torch.zeros(5, 3, dtype=dtype),
        guidance=torch.full((batch,), 3.5, dtype=dtype) if guidance else None,
    )
