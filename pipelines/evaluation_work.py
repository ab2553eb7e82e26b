"""An opened benchmark with what is to be measured, and where its outputs are: what the steps of `evaluate` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cologen.datagen.engine.actors import WorkerSize
from cologen.datagen.engine.cluster import Cluster
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks.catalog import BENCHMARKS, open_benchmark
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.judges.options import NOT_GIVEN
from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.networks.loading import missing_networks
from cologen.evaluation.records import Expected, ScoreError
from cologen.evaluation.scoring.candidates import Candidate, has_answer
from pipelines.console import CONSOLE, progress_over_scenes, working
from pipelines.evaluation_options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationWork:
    """An opened benchmark with what is to be measured, and why the rest is not."""

    options: Options
    root: Path | None
    benchmark: Benchmark
    metrics: tuple[AnyMetric, ...]
    unmeasured: Mapping[str, str]
    candidates: tuple[Candidate, ...]

    @classmethod
    def open(cls, options: Options) -> EvaluationWork:
        """The benchmark, on the dataset or on the synthetic one in its layout."""
        root = options.root or _synthetic(options)
        with working(f"reading the items of {options.bench}"):
            benchmark = open_benchmark(options.bench, root, options.protocol)
        unmeasured = _unmeasured(options, benchmark)
        return cls(
            options=options,
            root=root,
            benchmark=benchmark,
            metrics=tuple(metric for metric in benchmark.metrics if metric.name not in unmeasured),
            unmeasured=unmeasured,
            candidates=_answering(options.scoring.candidates, benchmark),
        )

    @property
    def outputs(self) -> OutputFolder:
        """Ours, or those of another model."""
        return OutputFolder(self.options.images or self.options.folder / "outputs")

    @property
    def size(self) -> WorkerSize:
        """Of each step's workers."""
        place = self.options.place
        return WorkerSize(num_workers=place.workers, num_threads=place.threads, num_gpus=place.gpus_per_worker)

    @property
    def cluster(self) -> Cluster | None:
        """The cluster that is joined; None for this machine alone."""
        address = self.options.place.address
        return None if address is None else Cluster(address=address)

    @property
    def sources(self) -> dict[str, str]:
        """Where each network is from: what is given, over the protocol's own."""
        return dict(self.benchmark.networks) | self.options.scoring.networks

    @property
    def sampling(self) -> dict[str, Any]:
        """How outputs are sampled, the benchmark's protocol included."""
        return self.options.model.sampling.over(self.benchmark.sampling)


def _synthetic(options: Options) -> Path | None:
    """The synthetic dataset in the benchmark's layout, generated now if it is missing; None where none is needed."""
    format_ = BENCHMARKS[options.bench].format
    if format_ is None:
        return None
    world = World(num_scenes=options.scenes, width=256, height=256, seed=1)
    root = Path("data", "world", f"{format_}-{options.scenes}x256-seed1")
    CONSOLE.print(f"No --root: using a synthetic dataset in the layout of {options.bench}. Its figures mean little.")
    with progress_over_scenes(options.scenes) as advance:
        ensure(format_, root, world, workers=options.place.workers, progress=advance)
    return root


def _unmeasured(options: Options, benchmark: Benchmark) -> dict[str, str]:
    """Metrics that cannot be measured here, and what to do about each."""
    needed = {need.network for metric in benchmark.metrics for need in metric.needs}
    sources = dict(benchmark.networks) | options.scoring.networks
    missing = {} if options.scoring.download else missing_networks(needed - {"judge"}, sources)
    if options.scoring.judge_endpoint is None and options.scoring.judge_folder is None:
        missing["judge"] = NOT_GIVEN
    return {
        metric.name: missing[need.network]
        for metric in benchmark.metrics
        for need in metric.needs
        if need.network in missing
    }


def _answering(candidates: Sequence[Candidate], benchmark: Benchmark) -> tuple[Candidate, ...]:
    """Those that have an answer in this benchmark, by its first item that can be read."""
    for item in benchmark.items:
        try:
            expected: Expected = benchmark.expected(item)
        except ScoreError:
            continue
        return tuple(each for each in candidates if each == "model" or has_answer(each, expected))
    return tuple(each for each in candidates if each == "model")
