"""The five tasks: which inputs each needs, and how they align with the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

TaskName = Literal["inpaint", "grounding", "control", "customized", "editing"]
"""The paper's five tasks, in the order of the curriculum's stages, as in ``cologen.datagen.manifest.schemas``."""

TASK_NAMES: tuple[TaskName, ...] = get_args(TaskName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One of the paper's tasks.

    ``masked`` tasks take a mask, and see their picture with the hole in grey. ``wordless`` tasks can go without a
    prompt. ``aligned`` tasks have a source that matches the result pixel by pixel, and so is brought to the
    result's size; the others show a subject, which keeps its proportions. Where the result
    ``resembles`` the source, denoising can start from it; a condition and a subject are pictures of another kind.
    """

    name: TaskName
    masked: bool = False
    wordless: bool = False
    aligned: bool = True
    resembles: bool = True


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task(name="inpaint", masked=True, wordless=True),
            Task(name="grounding"),
            Task(name="control", resembles=False),
            Task(name="customized", aligned=False, resembles=False),
            Task(name="editing"),
        )
    }
)
"""By name, in the order of the curriculum's stages."""

_OTHER_NAMES = MappingProxyType(
    {"inpainting": "inpaint", "ground": "grounding", "customize": "customized", "edit": "editing"}
)


def task_named(name: str) -> Task:
    """The task of that name; "inpainting", "ground", "customize" and "edit" are understood too.

    Raises:
        ValueError: there is none.
    """
    task = TASKS.get(_OTHER_NAMES.get(name, name))
    if task is None:
        raise ValueError(f"no task is called {name!r}: expected one of {', '.join(TASKS)}")
    return task
