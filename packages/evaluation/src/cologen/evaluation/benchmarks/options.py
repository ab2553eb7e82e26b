"""The protocol's options, in one record for all benchmarks: each benchmark says which of them it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a benchmark is run where its protocol leaves a choice; None is the protocol's own.

    ``reference``: what outputs are compared with. ``clip``: the CLIP model, a name on the hub. ``captions``: which set
    of captions CLIP reads. ``drop_identical_captions``: leave out edits whose captions before and after are the same.
    ``size``: the side in pixels of the pictures that the model is given and makes. ``turns``: which turns of a session.
    ``split``, ``language`` and ``subjects`` choose among the items; ``limit`` takes the first ones of these.
    ``extractor``: the weights that make conditions of pictures. ``edges``: the detector of edges that are shown.
    ``edits_seed``: of edits that are drawn.
    """

    reference: Literal["source", "target", "references"] | None = None
    clip: str | None = None
    captions: str | None = None
    drop_identical_captions: bool | None = None
    size: int | None = None
    turns: str | None = None
    split: str | None = None
    language: str | None = None
    subjects: tuple[str, ...] | None = None
    extractor: Path | None = None
    edges: str | None = None
    edits_seed: int | None = None
    limit: int | None = None

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
