"""A transformer's pool of experts in every block: how they join, which of them train, and their settings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin
from diffusers.loaders import FromOriginalModelMixin
from diffusers.models.attention import AttentionMixin
from diffusers.models.cache_utils import CacheMixin
from torch import nn

from cologen.model.experts import KVExpert
from cologen.model.hooks import refuse_if_weights_are_elsewhere
from cologen.model.newcomer import NEWCOMER_BIAS
from cologen.model.weaving import Granularity, ProgressiveRepresentationWeaving

SourceTimestep = Literal["zero", "shared"]
"""The time at which a source is encoded: always 0, so that once is enough, or that of the noisy latent."""


class ExpertPool(ModelMixin, ConfigMixin, FromOriginalModelMixin, CacheMixin, AttentionMixin):
    """``attn.prw`` in every block of a base; ``WovenTransformer`` says how it is used.

    It inherits what the transformers of diffusers do, so that its own methods come before theirs.
    """

    transformer_blocks: nn.ModuleList
    single_transformer_blocks: nn.ModuleList
    inner_dim: int

    @property
    def num_blocks(self) -> int:
        """L_n: double-stream and single-stream blocks together."""
        return len(self.blocks)

    @property
    def num_experts(self) -> int:
        """N: how many experts each block has."""
        return self._settings.num_experts

    def register_to_config(self, **kwargs: Any) -> None:
        """As in any diffusers model; a value that was set is not marked as a default, which ``from_config`` would
        ignore."""
        defaults = self._settings.get("_use_default_values", []) if hasattr(self, "_internal_dict") else []
        kwargs.setdefault("_use_default_values", [name for name in defaults if name not in kwargs])
        super().register_to_config(**kwargs)

    @property
    def newcomer_bias(self) -> float:
        """What is added to the newest expert's logit; it is saved with the configuration."""
        return self._settings.newcomer_bias

    @newcomer_bias.setter
    def newcomer_bias(self, bias: float) -> None:
        self.register_to_config(newcomer_bias=bias)

    def add_expert(self, seed: int, *, dtype: torch.dtype = torch.float32) -> int:
        """Add an expert to every block, initialised from ``seed`` and its number; return that number.

        If there are other experts, ``newcomer_bias`` is added to its logit; the trainer anneals that to 0. Its weights
        are in float32 by default, whatever the base's precision, since an optimizer's small steps are lost in bf16.
        Products are computed in the precision of the hidden states.

        Raises:
            ValueError: the weights are offloaded or sharded.
        """
        refuse_if_weights_are_elsewhere(self, "add experts")
        number = self.num_experts
        for attn in self._attentions():
            attn.prw.add_expert(dtype=dtype, device=attn.norm_q.weight.device)
        self._draw(number, seed)
        self.register_to_config(num_experts=number + 1)
        self.newcomer_bias = NEWCOMER_BIAS if number else 0.0
        return number

    def set_strength(self, strength: float) -> None:
        """Multiply all residuals of experts by ``strength``: 1 is as trained. It is not saved.

        Raises:
            ValueError: it is not finite.
        """
        if not math.isfinite(strength):
            raise ValueError(f"strength must be finite, got {strength}")
        for attn in self._attentions():
            attn.prw.strength = float(strength)

    def trainable_parameters(self, stage: int) -> dict[str, nn.Parameter]:
        """The parameters that train at ``stage``, by name: that stage's expert and the router of every block.

        Raises:
            ValueError: the model does not have exactly ``stage + 1`` experts.
        """
        if self.num_experts != stage + 1:
            raise ValueError(f"stage {stage} trains the last of {stage + 1} experts, and there are {self.num_experts}")
        parts = (f".prw.experts.{stage}.", ".prw.router.")
        return {name: weight for name, weight in self.named_parameters() if any(part in name for part in parts)}

    def freeze_for(self, stage: int) -> dict[str, nn.Parameter]:
        """Let only the parameters that train at ``stage`` require gradients, and return them."""
        trainable = self.trainable_parameters(stage)
        self.requires_grad_(False)
        for weight in trainable.values():
            weight.requires_grad_(True)
        return trainable

    def rebuild(
        self,
        num_experts: int,
        *,
        rank: int,
        expert_scale: float,
        routing: Granularity,
        source_timestep: SourceTimestep,
        dtype: torch.dtype,
    ) -> None:
        """Replace the pool of experts by one of this form, whose weights are loaded afterwards.

        Raises:
            ValueError: the weights are offloaded or sharded.
        """
        refuse_if_weights_are_elsewhere(self, "load the adapter")
        self.newcomer_bias = 0.0
        self.register_to_config(rank=rank, expert_scale=expert_scale, routing=routing, source_timestep=source_timestep)
        self._furnish(num_experts, dtype)

    def _furnish(self, num_experts: int, dtype: torch.dtype) -> None:
        dim = self.inner_dim
        for attn in self._attentions():
            attn.prw = ProgressiveRepresentationWeaving(
                dim, self._settings.rank, self._settings.expert_scale, self._settings.routing
            )
            for _ in range(num_experts):
                attn.prw.add_expert(dtype=dtype, device=attn.norm_q.weight.device)
        self.register_to_config(num_experts=num_experts)

    def _draw(self, number: int, seed: int) -> None:
        """Initialise expert ``number``, block by block."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
        for attn in self._attentions():
            attn.prw.experts[number].draw(generator)

    def _begin_missing_experts(self, missing: set[str]) -> None:
        """Initialise the experts and routers that no file held."""
        beside = {part: attn.norm_q.weight for attn in self._attentions() for part in attn.prw.modules()}
        for name, weight in list(self.named_parameters()):
            if ".prw." in name and name in missing and weight.is_meta:
                owner, _, own = name.rpartition(".")
                part = self.get_submodule(owner)
                dtype = beside[part].dtype if isinstance(part, KVExpert) else weight.dtype
                fresh = torch.zeros_like(weight, dtype=dtype, device=beside[part].device)
                setattr(part, own, nn.Parameter(fresh))
        for number in range(self.num_experts):
            if any(f".prw.experts.{number}.down" in name for name in missing):
                self._draw(number, 0)

    @property
    def blocks(self) -> tuple[Any, ...]:
        """Double-stream blocks first, as they run."""
        return *self.transformer_blocks, *self.single_transformer_blocks

    def _attentions(self) -> Iterator[Any]:
        """The attention of every block, in this order."""
        for block in self.blocks:
            yield block.attn

    @property
    def _settings(self) -> Any:
        return self.config
