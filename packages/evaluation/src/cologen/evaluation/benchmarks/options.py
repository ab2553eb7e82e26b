"""The protocol's options, in one record for all benchmarks: each benchmark says which of them it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a benchmark is run where its protocol leaves a choice; without an option, as the protocol says.

    A benchmark refuses the options that it does not have.
    """

    reference: Literal["source", "target", "references"] | None = None
    """What outputs are compared with. magicbrush: target or source; dreambench: source or references (all photos)."""
    clip: str | None = None
    """The CLIP model that the figures are stated for, a name on the hub. --network clip=PATH says where it is."""
    captions: str | None = None
    """Which captions CLIP reads. magicbrush: local, or global (the default of the dataset's script)."""
    drop_identical_captions: bool | None = None
    """emu_edit: leave out edits whose captions before and after are the same."""
    size: int | None = None
    """Side in pixels of the pictures that the model is given and makes."""
    turns: str | None = None
    """magicbrush: single (every turn by itself) or multi (whole sessions)."""
    split: str | None = None
    """emu_edit: test or validation; gedit: full or intersection."""
    language: str | None = None
    """gedit: en or cn."""
    subjects: tuple[str, ...] | None = None
    """dreambench: only these subjects."""
    extractor: Path | None = None
    """control_hed, control_lineart: the annotator's weights, by which the conditions are made."""
    edges: str | None = None
    """control_canny: kornia, or opencv, which made the training data's edges."""
    edits_seed: int | None = None
    """procedural and world_*: which edits and scenes are drawn."""
    level: str | None = None
    """world_*: how large and how varied the objects of the scenes are: simple or usual."""
    limit: int | None = None
    """Take the first so many items only."""

    def __post_init__(self) -> None:
        for name, least in (("size", 32), ("edits_seed", 0), ("limit", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is at least {least}, got {value}")


def refuse_others(options: Options, benchmark: str, own: frozenset[str]) -> None:
    """Refuse options that have no meaning for the benchmark.

    Raises:
        ValueError: one is given that is not its ``own``.
    """
    given = [field.name for field in fields(options) if getattr(options, field.name) is not None]
    if others := [name for name in given if name not in own]:
        raise ValueError(
            f"{benchmark} has no option {' and no option '.join(others)}: it has {', '.join(sorted(own)) or 'none'}"
        )


def choice(benchmark: str, name: str, value: str | None, choices: Sequence[str]) -> str:
    """The value of an option with few values, of which the first is the default.

    Raises:
        ValueError: it is none of ``choices``.
    """
    if value is None:
        return choices[0]
    if value not in choices:
        raise ValueError(f"{benchmark} has no {name} {value!r}: expected {' or '.join(map(repr, choices))}")
    return value
