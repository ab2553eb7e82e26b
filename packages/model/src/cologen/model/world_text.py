"""A text encoder without weights for the synthetic dataset: every word is a fixed ±1 vector, drawn from its hash.

Any caption works, since there is no vocabulary. Only sums, halvings and one square root are computed, so all machines
agree to the last bit. A token carries three things: its word; a weighted sum of the words before it (½ of the last, ¼
of the one before, …), so that the ball of "small red ball" differs from other balls; and its place as a Walsh function,
the counterpart of a sinusoid in ±1.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from cologen.model.text import Prompts

WORD_CHANNELS = 128
_PLACES = 64
"""Channels of the place, and the largest number of places; a power of two, as Walsh functions need."""

_FADING = 0.5
_TOKEN = re.compile(r"\w+|[^\w\s]")
_LOG = logging.getLogger(__name__)


class WorldTextEncoder(nn.Module):
    """Captions to ``num_tokens`` tokens of 320 channels, zeros after the caption's end, and 128 pooled channels.

    It has one buffer and no parameters; what it returns is on that buffer's device and in its dtype. Of the
    synthetic dataset's captions 99 % have at most 43 tokens.
    """

    channels = 2 * WORD_CHANNELS + _PLACES
    pooled_channels = WORD_CHANNELS

    places: Tensor

    def __init__(self, num_tokens: int = 56) -> None:
        """Raises ValueError for more tokens than there are places."""
        super().__init__()
        if not 1 <= num_tokens <= _PLACES:
            raise ValueError(f"num_tokens must be 1 to {_PLACES}, got {num_tokens}")
        self.num_tokens = num_tokens
        self.register_buffer("places", _walsh(_PLACES)[:num_tokens], persistent=False)
        self._has_warned = False

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """The same vectors for the same captions, on every machine; a caption that is too long is cut, which is logged
        once."""
        words = np.zeros((len(prompts), self.num_tokens, 2 * WORD_CHANNELS), dtype=np.float32)
        pooled = np.zeros((len(prompts), WORD_CHANNELS), dtype=np.float32)
        said = np.zeros((len(prompts), self.num_tokens, 1), dtype=np.bool_)
        for i, prompt in enumerate(prompts):
            tokens = self._shortened(tokens_of(prompt))
            if tokens:
                vectors = np.stack([_signs(token) for token in tokens])
                words[i, : len(tokens)] = np.concatenate((vectors, _memory(vectors)), axis=1)
                pooled[i] = vectors.sum(axis=0) / np.float32(math.sqrt(len(tokens)))
                said[i, : len(tokens)] = True
        places = self.places.where(torch.from_numpy(said).to(self.places.device), 0.0)
        return Prompts(
            torch.cat((torch.from_numpy(words).to(self.places), places), dim=2),
            torch.from_numpy(pooled).to(self.places),
        )

    def _shortened(self, words: list[str]) -> list[str]:
        if len(words) > self.num_tokens and not self._has_warned:
            self._has_warned = True
            _LOG.warning(
                "a caption of %d tokens was cut to %d, and lost: %r (said once)",
                len(words),
                self.num_tokens,
                " ".join(words[self.num_tokens :]),
            )
        return words[: self.num_tokens]


def tokens_of(caption: str) -> list[str]:
    """Its words and punctuation marks, in lower case: a token each."""
    return _TOKEN.findall(caption.lower())


@lru_cache(maxsize=4096)
def _signs(word: str) -> Float[np.ndarray, "channels"]:
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(word.encode()).digest(WORD_CHANNELS // 8), dtype=np.uint8))
    return bits.astype(np.float32) * 2 - 1


def _memory(vectors: Float[np.ndarray, "words channels"]) -> Float[np.ndarray, "words channels"]:
    """At each word, the sum of those before it, halved at every step."""
    memory = np.zeros_like(vectors)
    for i in range(1, len(vectors)):
        memory[i] = _FADING * (memory[i - 1] + vectors[i - 1])
    return memory


def _walsh(size: int) -> Float[Tensor, "size size"]:
    """Sylvester's matrix of ±1, whose rows are orthogonal."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), matrix)
    return matrix
