"""Opens a scorer in the process that is to score: by plain values, so that they travel to any worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cologen.evaluation.benchmarks import gedit, imgedit
from cologen.evaluation.benchmarks.catalog import open_benchmark
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.judges.options import JudgeName, JudgeOptions, open_judge
from cologen.evaluation.networks.loading import load_networks
from cologen.evaluation.scoring.candidates import Candidate
from cologen.evaluation.scoring.scorer import Scorer

_JUDGES: Mapping[str, JudgeName] = MappingProxyType({gedit.NAME: "gedit", imgedit.NAME: "imgedit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerSpec:
    """What decides scores. ``networks`` are folders or hub names by network; ``metrics`` those that are measured."""

    benchmark: str
    root: Path | None
    options: Options
    outputs: Path
    metrics: tuple[str, ...]
    networks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    judge: JudgeOptions | None = None
    candidates: tuple[Candidate, ...] = ("model", "oracle", "identity")
    device: str = "cpu"
    download: bool = False


def open_scorer(spec: ScorerSpec) -> Scorer:
    """The benchmark, its metrics and their networks, ready to score parts.

    Raises:
        FileNotFoundError, ValueError: the dataset or a network is missing or damaged.
    """
    benchmark = open_benchmark(spec.benchmark, spec.root, spec.options)
    metrics = tuple(metric for metric in benchmark.metrics if metric.name in spec.metrics)
    names = {need.network for metric in metrics for need in metric.needs} - {"judge"}
    sources = dict(benchmark.networks) | dict(spec.networks)
    networks: dict[str, object] = dict(load_networks(names, sources, spec.device, download=spec.download))
    if spec.judge is not None and (judge := open_judge(_JUDGES[spec.benchmark], spec.judge)) is not None:
        networks["judge"] = judge
    return Scorer(
        benchmark=benchmark,
        metrics=metrics,
        networks=networks,
        outputs=OutputFolder(spec.outputs),
        candidates=spec.candidates,
    )
