"""Text encoders: one vector per token (T5), and one for the whole prompt (CLIP)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from diffusers.utils.torch_utils import get_module_execution_device
from jaxtyping import Float
from torch import Tensor, nn
from transformers import (
    BatchEncoding,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerBase,
    T5EncoderModel,
    T5Tokenizer,
)

from cologen.model.files import parts_of, read_whole


@dataclass(frozen=True, slots=True)
class Prompts:
    """A batch of encoded prompts; all have the same number of tokens."""

    embeds: Float[Tensor, "batch tokens channels"]
    pooled: Float[Tensor, "batch pooled_channels"]


@runtime_checkable
class TextEncoder(Protocol):
    """Encodes prompts; a prompt's encoding does not depend on its batch."""

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Encode each prompt; the empty one is the null prompt of guidance."""
        ...


class FluxTextEncoder(nn.Module):
    """FLUX's pair: CLIP's pooled vector and T5's tokens, padded to ``num_tokens`` (512; 256 for schnell).

    As in FLUX, padding is attended to. Both models are frozen; results are on the device and in the dtype of each.
    """

    folders: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    """What it is read from in a base's folder."""

    def __init__(
        self,
        clip: CLIPTextModel,
        clip_tokenizer: PreTrainedTokenizerBase,
        t5: T5EncoderModel,
        t5_tokenizer: PreTrainedTokenizerBase,
        *,
        num_tokens: int = 512,
    ) -> None:
        super().__init__()
        self.clip = clip
        self.t5 = t5
        self.clip_tokenizer = clip_tokenizer
        self.t5_tokenizer = t5_tokenizer
        self.num_tokens = num_tokens
        self.requires_grad_(False).eval()

    @classmethod
    def from_folder(
        cls, folder: Path, *, dtype: torch.dtype = torch.bfloat16, num_tokens: int = 512
    ) -> FluxTextEncoder:
        """Read ``text_encoder``, ``tokenizer``, ``text_encoder_2`` and ``tokenizer_2`` of a FLUX folder; no network.

        Raises:
            FileNotFoundError: one of the four is not there.
        """
        parts = parts_of(folder, cls.folders, "FLUX")
        return cls(
            read_whole(CLIPTextModel, parts["text_encoder"], dtype=dtype),
            CLIPTokenizer.from_pretrained(parts["tokenizer"], local_files_only=True),
            read_whole(T5EncoderModel, parts["text_encoder_2"], dtype=dtype),
            T5Tokenizer.from_pretrained(parts["tokenizer_2"], local_files_only=True),
            num_tokens=num_tokens,
        )

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Prompts:
        """The ends of prompts longer than CLIP's 77 or T5's ``num_tokens`` are cut, as FLUX's own pipeline does."""
        clip_ids = _token_ids(self.clip_tokenizer, prompts, self.clip_tokenizer.model_max_length)
        t5_ids = _token_ids(self.t5_tokenizer, prompts, self.num_tokens)
        pooled = self.clip(clip_ids.to(self.clip.device)).pooler_output
        embeds = self.t5(t5_ids.to(self.t5.device)).last_hidden_state
        return Prompts(embeds, pooled)


def hidden_states(model: Any, words: BatchEncoding) -> tuple[Tensor, ...]:
    """Of a language model on tokenized prompts: the embeddings, then each layer's, (batch, tokens, channels)."""
    words = words.to(get_module_execution_device(model))
    return model(
        input_ids=words["input_ids"],
        attention_mask=words["attention_mask"],
        output_hidden_states=True,
        use_cache=False,
        logits_to_keep=1,  # of which none is needed
    ).hidden_states


def _token_ids(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], length: int) -> Tensor:
    """Tokens of each prompt, cut or padded to one length."""
    tokens = tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return tokens.input_ids
