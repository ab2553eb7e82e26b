"""FLUX.2 klein's text encoder: three hidden layers of Qwen3, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3ForCausalLM

from cologen.model.files import parts_of, read_whole
from cologen.model.text import Prompts, hidden_states

LAYERS = (9, 18, 27)
"""The hidden states that are read, counted from the embeddings as 0."""


class Flux2TextEncoder(nn.Module):
    """Qwen3 on a prompt in its chat template without thinking, padded to ``num_tokens``; there is no pooled vector.

    As in FLUX.2 klein, padding is not attended to inside Qwen3, and is attended to by the transformer. The model is
    frozen; results are on its device and in its dtype.
    """

    folders: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer")
    """What it is read from in a base's folder."""

    def __init__(
        self,
        qwen: Qwen3ForCausalLM,
        tokenizer: PreTrainedTokenizerBase,
        *,
        num_tokens: int = 512,
        layers: Sequence[int] = LAYERS,
    ) -> None:
        super().__init__()
        self.qwen, self.tokenizer, self.num_tokens, self.layers = qwen, tokenizer, num_tokens, tuple(layers)
        self.requires_grad_(False).eval()

    @classmethod
    def from_folder(
        cls, folder: Path, *, dtype: torch.dtype = torch.bfloat16, num_tokens: int = 512
    ) -> Flux2TextEncoder:
        """Read ``text_encoder`` and ``tokenizer`` of a FLUX.2 klein folder; no network.

        Raises:
            FileNotFoundError: one of the two is not there, or the tokenizer has no chat template.
        """
        parts = parts_of(folder, cls.folders, "FLUX.2")
        tokenizer = AutoTokenizer.from_pretrained(parts["tokenizer"], local_files_only=True)
        if not tokenizer.chat_template:
            raise FileNotFoundError(f"{parts['tokenizer']} has no chat template, by which prompts are encoded")
        return cls(read_whole(Qwen3ForCausalLM, parts["text_encoder"], dtype=dtype), tokenizer, num_tokens=num_tokens)

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Embeddings of ``layers`` side by side; the ends of prompts longer than ``num_tokens`` are cut."""
        texts = [
            cast(
                str,
                self.tokenizer.apply_chat_template(
                    [{"role": "user", "content": prompt}],
                    tokenize=False,
                    add_generation_prompt=True,
                    enable_thinking=False,
                ),
            )
            for prompt in prompts
        ]
        words = self.tokenizer(
            texts, padding="max_length", max_length=self.num_tokens, truncation=True, return_tensors="pt"
        )
        hidden = hidden_states(self.qwen, words)
        embeds = torch.cat([hidden[layer] for layer in self.layers], dim=-1)
        return Prompts(embeds, embeds.new_zeros(len(prompts), 0))
