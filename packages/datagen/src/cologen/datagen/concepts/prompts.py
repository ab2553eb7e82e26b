"""Nouns into the prompts that GroundingDINO reads, and back: which tokens of a prompt stand for which noun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

MAX_TOKENS = 256
"""GroundingDINO silently truncates longer prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """``cat . traffic light .``: ``spans[i]`` are the token places of ``nouns[i]``, here 1 to 2 and 3 to 5, half-open.

    Place 0 is [CLS], and a full stop stands after each noun; so no noun sees another in the text encoder.
    """

    text: str
    nouns: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]


def write_prompts(
    nouns: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int = MAX_TOKENS
) -> tuple[Prompt, ...]:
    """As few prompts as can hold all nouns, in order, none over ``max_tokens``; a repeated noun is written once.

    A noun that alone is longer than ``max_tokens`` is left out: the network could not read it to its end.
    """
    full: list[list[tuple[str, str, int]]] = []
    room = 0
    for noun, phrase, length in _phrases(nouns, tokenizer):
        needed = length + 1
        if needed > max_tokens - 2:
            continue
        if needed > room:
            full.append([])
            room = max_tokens - 2
        full[-1].append((noun, phrase, length))
        room -= needed
    return tuple(_prompt(entries) for entries in full)


def _phrases(nouns: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple[str, str, int]]:
    """Each noun with its words as the prompt writes them, and the number of their tokens."""
    for noun in dict.fromkeys(nouns):
        # The network itself splits phrases at full stops and question marks.
        phrase = " ".join(noun.lower().replace(".", " ").replace("?", " ").split())
        length = len(tokenizer.tokenize(phrase))
        if length:
            yield noun, phrase, length


def _prompt(entries: Sequence[tuple[str, str, int]]) -> Prompt:
    spans: list[tuple[int, int]] = []
    start = 1
    for _, _, length in entries:
        spans.append((start, start + length))
        start += length + 1
    return Prompt(
        text=" ".join(f"{phrase} ." for _, phrase, _ in entries),
        nouns=tuple(noun for noun, _, _ in entries),
        spans=tuple(spans),
    )
