"""Questions of one form are one call, and earlier prompts come first, each on the result of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from cologen.evaluation.generating.asking import Asked, PipelineGenerator
from cologen.evaluation.records import Question


class Adding:
    """A pipeline whose output is its source and one grey level more for each letter of the prompt."""

    def __init__(self, device: str = "cpu") -> None:
        self._execution_device = SimpleNamespace(type=device)
        self.usual_cfg = 1.0
        self.calls: list[tuple[list[str], list[int]]] = []

    def __call__(
        self, prompts: list[str], *, image: list[list[np.ndarray]], generator: list[torch.Generator], **_others: Any
    ) -> tuple[list[np.ndarray]]:
        self.calls.append((prompts, [each.initial_seed() for each in generator]))
        return ([pictures[0] / 255 + len(words) / 255 for pictures, words in zip(image, prompts, strict=True)],)


def asked(prompt: str, earlier: Sequence[str] = (), seed: int = 5) -> Asked:
    picture = np.full((4, 6, 3), 10, dtype=np.uint8)
    return Asked(
        question=Question(task="editing", prompt=prompt, pictures=(picture,), earlier=tuple(earlier)), seed=seed
    )


def levels(outputs: Sequence[object]) -> list[int]:
    return [int(output[0, 0, 0]) for output in outputs if isinstance(output, np.ndarray)]


def test_turns_are_applied_one_after_another() -> None:
    pipeline = Adding()
    outputs = PipelineGenerator(pipeline=pipeline)([asked("abc", ["x", "yz"]), asked("d")])
    assert levels(outputs) == [10 + 1 + 2 + 3, 11]
    assert [prompts for prompts, _ in pipeline.calls] == [["x"], ["yz"], ["abc"], ["d"]]
    seeds = [seed for _, (seed,) in pipeline.calls]
    assert seeds[2:] == [5, 5] and len(set(seeds)) == 3, "the last turn has the output's own seed"


def test_one_call_has_questions_of_as_many_turns() -> None:
    alone, together = Adding(), Adding("cuda")
    batch = [asked("a", ["p"], 1), asked("bb", (), 2), asked("ccc", ["q"], 3)]
    expected = PipelineGenerator(pipeline=alone)(batch)
    assert levels(PipelineGenerator(pipeline=together)(batch)) == levels(expected) == [12, 12, 14]
    assert [prompts for prompts, _ in together.calls] == [["p", "q"], ["a", "ccc"], ["bb"]]
    assert sorted(seed for _, seeds in together.calls for seed in seeds) == sorted(
        seed for _, seeds in alone.calls for seed in seeds
    )
