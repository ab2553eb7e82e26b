"""What all prompts to judges share: the form of the answer, the place of the instruction, and the hash of the words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cologen.evaluation.judgement import Judgement

INSTRUCTION = "{{instruction}}"
"""Stands in a prompt where the instruction goes."""


def answer_form(names: Iterable[str], scale: Judgement) -> str:
    """The end of every prompt: the JSON that ``parsing.read_scores`` reads."""
    number = f"<whole number from {scale.lowest:.0f} to {scale.highest:.0f}>"
    scores = ", ".join(f'"{name}": {number}' for name in names)
    return (
        "Answer with one JSON object and nothing else, in exactly this form:\n"
        f'{{"reasoning": "<at most three sentences>", "scores": {{{scores}}}}}\n'
        'If you are not able or not allowed to judge, answer {"refused": true} instead.'
    )


def with_instruction(prompt: str, instruction: str) -> str:
    """The prompt with the instruction as it is, in whatever language."""
    return prompt.replace(INSTRUCTION, instruction)


def digest(prompts: Iterable[str]) -> str:
    """Twelve hexadecimal digits that change with any word of the prompts."""
    return hashlib.sha256("\0".join(prompts).encode()).hexdigest()[:12]
