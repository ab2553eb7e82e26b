"""What a benchmark is: its items, how they are asked, and which metrics under which protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cologen.datagen.records import Rejection
from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.records import Expected, Item, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """An opened benchmark; a module of ``benchmarks/`` makes it from a dataset's folder and protocol options.

    ``question`` and ``expected`` decode an item's pictures, and raise ``ScoreError("bad_input", …)`` where the dataset
    is damaged. ``rejected`` are rows of the dataset that are no items, with reasons; they are reported, never dropped
    silently. ``protocol`` holds everything that decides a figure and is the same for all items: reference, CLIP model,
    caption set, resizing, sampling settings, the dataset's fingerprint. ``tables`` names the paper's tables that the
    figures belong beside (keys of ``paper.toml``).

    ``networks`` are the weights that the protocol asks for, by the name of a ``Need``. Where ``shareable`` is False,
    the dataset's pictures may not be passed on: a report leaves them out unless it is asked for them.
    """

    name: str
    title: str
    items: Sequence[Item]
    question: Callable[[Item], Question]
    expected: Callable[[Item], Expected]
    metrics: tuple[AnyMetric, ...]
    protocol: Mapping[str, str]
    rejected: tuple[Rejection, ...] = ()
    tables: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    networks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shareable: bool = True
    sampling: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """The protocol's sampling settings, by ``CoLoGenPipeline``'s names (num_inference_steps, true_cfg_scale)."""
