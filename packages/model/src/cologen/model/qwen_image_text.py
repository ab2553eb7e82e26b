"""Qwen-Image's text encoder: Qwen2.5-VL's last layer, on text alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen2_5_VLForConditionalGeneration

from cologen.model.files import parts_of, read_whole
from cologen.model.text import Prompts, hidden_states

_BEFORE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:<|im_end|>\n<|im_start|>user\n"
)
_BEHIND = "<|im_end|>\n<|im_start|>assistant\n"
_DROPPED = 34
"""Tokens of ``_BEFORE`` in Qwen2.5's words, whose embeddings are left out."""


class QwenImageTextEncoder(nn.Module):
    """Qwen2.5-VL on a prompt in the template of diffusers' ``QwenImagePipeline``, padded with zeros to ``num_tokens``;
    there is no pooled vector.

    It reads text alone. ``QwenImageEditPlusPipeline`` has another template, by which the encoder also sees the source.
    Here the source reaches the transformer alone. Zeros are what ``CoLoGenQwenImageTransformer2DModel`` takes for
    padding. The model is frozen; results are on its device and in its dtype.
    """

    folders: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer")
    """What it is read from in a base's folder."""

    def __init__(
        self,
        qwen: Qwen2_5_VLForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        *,
        num_tokens: int = 512,
    ) -> None:
        super().__init__()
        self.qwen, self.tokenizer, self.num_tokens = qwen, tokenizer, num_tokens
        self.requires_grad_(False).eval()

    @classmethod
    def from_folder(
        cls, folder: Path, *, dtype: torch.dtype = torch.bfloat16, num_tokens: int = 512
    ) -> QwenImageTextEncoder:
        """Read ``text_encoder`` and ``tokenizer`` of a Qwen-Image folder; no network.

        Raises:
            FileNotFoundError: one of the two is not there.
        """
        parts = parts_of(folder, cls.folders, "Qwen-Image")
        tokenizer = AutoTokenizer.from_pretrained(parts["tokenizer"], local_files_only=True)
        qwen = read_whole(Qwen2_5_VLForConditionalGeneration, parts["text_encoder"], dtype=dtype)
        return cls(qwen, tokenizer, num_tokens=num_tokens)

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Embeddings of the prompt and of what is behind it; the ends of those longer than ``num_tokens`` are cut.

        Each prompt is read by itself and without padding, as the stock pipeline reads a single one, so that it has the
        same bits in every batch.
        """
        embeds = torch.cat([self._encoded(prompt) for prompt in prompts])
        return Prompts(embeds, embeds.new_zeros(len(prompts), 0))

    def _encoded(self, prompt: str) -> Tensor:
        """(1, num_tokens, channels)."""
        words = self.tokenizer(
            [_BEFORE + prompt + _BEHIND],
            max_length=_DROPPED + self.num_tokens,
            truncation=True,
            return_tensors="pt",
        )
        found = hidden_states(self.qwen, words)[-1][:, _DROPPED:]
        return pad(found, (0, 0, 0, self.num_tokens - found.shape[1]))
