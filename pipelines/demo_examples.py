"""The examples of the demo page, drawn from scenes of the synthetic dataset when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from PIL import Image

from cologen.datagen.drawn_pairs import PAIRS, Hole
from cologen.model.tasks import TASK_NAMES, TaskName

_SEED = 0
_INDICES: Mapping[TaskName, tuple[int, ...]] = MappingProxyType(
    {
        "inpaint": (2, 3, 5, 7),
        "grounding": (4, 5, 6, 7),
        "control": (0, 1, 2, 3),
        "customized": (0, 1, 5, 7),
        "editing": (0, 6, 8, 17),
    }
)
"""Of the pairs of ``_SEED``: chosen, since the bundled adapter gets them right with the page's first settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A picture and a prompt to click, and for inpainting a mask that is white in the hole."""

    picture: Image.Image
    mask: Image.Image | None
    prompt: str


def examples(side: int) -> dict[TaskName, tuple[Example, ...]]:
    """Those of every task, ``side`` × ``side`` pixels."""
    return {task: tuple(_example(task, index, side) for index in _INDICES[task]) for task in TASK_NAMES}


def _example(task: TaskName, index: int, side: int) -> Example:
    """The picture is whole also where there is a hole: the mask says where."""
    pair = PAIRS[task](_SEED, index, "simple", side)
    if not isinstance(pair.made, Hole):
        return Example(picture=Image.fromarray(pair.source), mask=None, prompt=pair.prompt)
    mask = Image.fromarray(pair.made.mask * np.uint8(255))
    return Example(picture=Image.fromarray(pair.target), mask=mask, prompt=pair.prompt)
