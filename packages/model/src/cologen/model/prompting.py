"""Prompts to embeddings: those of FLUX's own encoders, of a bundle's, or given ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cologen.model.assembly import AssembledPipeline, on_device
from cologen.model.layout import Layout
from cologen.model.sampling import Words
from cologen.model.text import TextEncoder


class PromptedPipeline(AssembledPipeline):
    """Encodes prompts, whichever parts it was assembled from."""

    def encode_prompt(
        self,
        prompt: str | list[str] | None,
        prompt_2: str | list[str] | None = None,
        device: torch.device | None = None,
        num_images_per_prompt: int = 1,
        prompt_embeds: Tensor | None = None,
        pooled_prompt_embeds: Tensor | None = None,
        max_sequence_length: int = 512,
        lora_scale: float | None = None,
    ) -> Any:
        """As ``FluxPipeline``'s; a bundle's text encoder gives as many tokens as it always does."""
        if self._bundle is None:
            stock: Any = super().encode_prompt  # its annotations lack the None of their defaults
            return stock(
                prompt, prompt_2, device, num_images_per_prompt, prompt_embeds, pooled_prompt_embeds,
                max_sequence_length, lora_scale,
            )  # fmt: skip
        like = torch.empty(0, device=device or self._execution_device, dtype=self.transformer.dtype)
        if prompt_embeds is None or pooled_prompt_embeds is None:
            text: TextEncoder = on_device(self._bundle.text, like.device)
            prompts = text.encode([prompt] if isinstance(prompt, str) else prompt or [])
            prompt_embeds, pooled_prompt_embeds = prompts.embeds, prompts.pooled
        ids = Layout.of(self.transformer, self._codec).text_ids(prompt_embeds.shape[1]).to(like.device)
        words = Words(embeds=prompt_embeds.to(like), pooled=pooled_prompt_embeds.to(like), ids=ids)
        words = words.repeated(num_images_per_prompt)
        return words.embeds, words.pooled, ids

    def _words(
        self,
        prompt: str | list[str] | None,
        prompt_2: str | list[str] | None,
        embeds: Tensor | None,
        pooled: Tensor | None,
        max_sequence_length: int,
    ) -> Words:
        if embeds is None and self._bundle is None:
            needed = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
            if absent := [name for name in needed if getattr(self, name, None) is None]:
                raise ValueError(
                    f"the pipeline has no {', '.join(absent)}: load them, or give prompt_embeds and "
                    "pooled_prompt_embeds (and negative ones for guidance)"
                )
        if isinstance(prompt, list) and isinstance(prompt_2, list) and len(prompt_2) != len(prompt):
            raise ValueError(f"{len(prompt_2)} second prompts for {len(prompt)} prompts: give one for each")
        if embeds is not None and pooled is not None and len(embeds) != len(pooled):
            raise ValueError(f"{len(pooled)} pooled embeddings for {len(embeds)} prompts: give one for each")
        encoded: tuple[Tensor, Tensor, Tensor] = self.encode_prompt(
            prompt,
            prompt_2,
            device=self._execution_device,
            prompt_embeds=embeds,
            pooled_prompt_embeds=pooled,
            max_sequence_length=max_sequence_length,
            lora_scale=(self._joint_attention_kwargs or {}).get("scale"),
        )
        return Words(embeds=encoded[0], pooled=encoded[1], ids=encoded[2])


def check_against(against: Words, words: Words) -> None:
    """Raise ValueError unless the negative prompts fit the prompts."""
    batch = len(words.embeds)
    if len(against.embeds) != batch:
        found = len(against.embeds)
        raise ValueError(f"{found} negative prompts for {batch} prompts: give one for all, or one for each")
    if against.embeds.shape != words.embeds.shape:
        found, expected = tuple(against.embeds.shape), tuple(words.embeds.shape)
        raise ValueError(f"negative_prompt_embeds are {found}, expected {expected}, as the prompt's are")


def num_given(prompts: list[str] | None, embeds: Tensor | None) -> int:
    """How many prompts a list or embeddings hold."""
    if prompts is not None:
        return len(prompts)
    return 0 if embeds is None else len(embeds)


def no_channels(embeds: Tensor | None) -> Tensor | None:
    """The pooled embeddings of a base that reads none."""
    return None if embeds is None else embeds.new_zeros(len(embeds), 0)


def for_each(prompt: str | list[str] | None, batch: int) -> list[str] | None:
    """One prompt for all as one for each."""
    return [prompt] * batch if isinstance(prompt, str) else prompt
