"""``python -m pipelines.evaluate --bench magicbrush --root DIR --adapter DIR --base DIR --out DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cologen.evaluation.judges.options import NOT_GIVEN, JudgeOptions
from cologen.evaluation.networks.loading import missing_networks
from cologen.evaluation.reporting.gallery import Gallery
from cologen.evaluation.reporting.report import HTML, RESULTS, write_report
from rich.table import Table

from cologen.datagen.engine.actors import WorkerSize
from cologen.datagen.engine.cluster import Cluster
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks.catalog import BENCHMARKS, open_benchmark
from cologen.evaluation.generating.asking import open_generator
from cologen.evaluation.generating.forecast import forecast
from cologen.evaluation.generating.generate import Workers, generate
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.records import Expected, Picture, Question, ScoreError
from cologen.evaluation.reporting.results import Results, Run
from cologen.evaluation.scoring.candidates import Candidate, decoded, has_answer
from cologen.evaluation.scoring.opening import ScorerSpec, open_scorer
from cologen.evaluation.scoring.score import networks_of, score
from cologen.model.gpus import gpu_named
from pipelines.console import CONSOLE, progress_over_count, progress_over_scenes, run, working
from pipelines.evaluation_options import Options

_FORECAST_ITEMS = 16


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _evaluate, args)


def _evaluate(options: Options) -> int:
    """The steps that are asked for; 1 where a figure does not rest on all outputs."""
    work = _Work.open(options)
    _introduce(work)
    if options.dry_run:
        return _dry_run(work)
    if options.only in ("all", "generate") and options.images is None:
        _generate(work)
    if options.only in ("all", "score"):
        _score(work)
    return _report(work) if options.only in ("all", "report") else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """An opened benchmark with what is to be measured, and why the rest is not."""

    options: Options
    root: Path | None
    benchmark: Benchmark
    metrics: tuple[AnyMetric, ...]
    unmeasured: Mapping[str, str]
    candidates: tuple[Candidate, ...]

    @classmethod
    def open(cls, options: Options) -> _Work:
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


def _introduce(work: _Work) -> None:
    benchmark = work.benchmark
    num_outputs = sum(item.num_outputs for item in benchmark.items)
    CONSOLE.print(
        f"{benchmark.title}: {len(benchmark.items):,} items, {num_outputs:,} outputs, in {work.options.folder}"
    )
    if benchmark.rejected:
        first = benchmark.rejected[0]
        CONSOLE.print(
            f"{len(benchmark.rejected):,} rows are no items, such as {first.sample_id}: {first.reason}, {first.detail}"
        )
    for name, why in work.unmeasured.items():
        CONSOLE.print(f"not measured: {name}: {why}")


def _generate(work: _Work) -> None:
    options, outputs = work.options, work.outputs
    outputs.begin(_generation(work), fresh=options.fresh)
    missing = len(outputs.missing(work.benchmark.items))
    load = partial(open_generator, options.pipeline, work.sampling)
    workers = Workers(size=work.size, cluster=work.cluster, batch_size=options.place.batch_size)
    with progress_over_count(missing, "generating", "outputs") as advance:
        made = generate(work.benchmark, outputs, load, seed=options.model.seed, workers=workers, progress=advance)
    CONSOLE.print(f"{made.made:,} outputs generated, {made.found:,} were there, {made.failed:,} could not be made")


def _generation(work: _Work) -> dict[str, Any]:
    """Everything that decides an output: it is kept beside the outputs, and a folder of others is refused."""
    spec, model = work.options.pipeline, work.options.model
    return {
        "benchmark": work.benchmark.name,
        "protocol": dict(work.benchmark.protocol),
        "base": spec.base_name,
        "adapter": None if spec.adapter is None else str(spec.adapter),
        "stage": spec.stage,
        "dtype": spec.dtype,
        "device": spec.device.partition(":")[0],
        "seed": model.seed,
        "sampling": work.sampling,
    }


def _score(work: _Work) -> None:
    options = work.options
    if extra := work.outputs.extra(work.benchmark.items):
        CONSOLE.print(f"{len(extra):,} pictures in {work.outputs.path} belong to no item, such as {extra[0]}")
    spec = ScorerSpec(
        benchmark=options.bench,
        root=work.root,
        options=options.protocol,
        outputs=work.outputs.path,
        metrics=tuple(metric.name for metric in work.metrics),
        networks=options.scoring.networks,
        judge=None if "judge" not in _networks(work.metrics) else _judge(options),
        candidates=work.candidates,
        device=options.pipeline.device,
        download=options.scoring.download,
    )
    settings = {
        "protocol": dict(work.benchmark.protocol),
        "metrics": {metric.name: metric.protocol for metric in work.metrics},
        "networks": options.scoring.networks,
        "judge": options.scoring.judge_model or (options.scoring.judge_folder and str(options.scoring.judge_folder)),
        "items": [item.item_id for item in work.benchmark.items],
    }
    with progress_over_count(len(work.benchmark.items), "scoring", "items") as advance:
        score(
            work.benchmark,
            work.outputs,
            options.folder / "scores",
            partial(open_scorer, spec),
            candidates=work.candidates,
            settings=settings,
            size=work.size,
            cluster=work.cluster,
            progress=advance,
        )


def _dry_run(work: _Work) -> int:
    """Items, what is missing and hours; 1 where pictures of the dataset are missing."""
    bad: list[str] = []
    questions: list[Question] = []
    with progress_over_count(len(work.benchmark.items), "reading", "items") as advance:
        for item in work.benchmark.items:
            try:
                question = work.benchmark.question(item)
                work.benchmark.expected(item)
                if len(questions) < _FORECAST_ITEMS:
                    questions.append(question)
            except ScoreError as error:
                bad.append(f"{item.item_id}: {error.detail}")
            advance(1)
    for line in bad[:10]:
        CONSOLE.print(f"cannot be read: {line}")
    if len(bad) > 10:
        CONSOLE.print(f"… and {len(bad) - 10:,} more")
    missing = len(work.outputs.missing(work.benchmark.items))
    expected = forecast(work.options.pipeline, work.sampling, questions, missing)
    gpu = gpu_named(work.options.gpu)
    CONSOLE.print(
        f"{missing:,} outputs to generate, {expected.flops_per_output / 1e12:,.1f} TFLOP each: "
        f"{expected.hours(gpu):,.2f} hours of one {gpu.name}, text encoders and codec left out"
    )
    CONSOLE.print(f"measured: {', '.join(metric.name for metric in work.metrics) or 'nothing'}")
    return 1 if bad else 0


def _report(work: _Work) -> int:
    """Figures, tables and gallery from the log alone; nothing is generated or scored."""
    options, folder = work.options, work.options.folder
    logs = {name: folder / "scores" / name for name in work.candidates}
    if not any(log.exists() for log in logs.values()):
        raise FileNotFoundError(f"nothing is scored in {folder / 'scores'}: run without --only report first")
    generation = work.outputs.settings()
    run_ = Run(
        model=_model_name(options, generation),
        seed=int(generation.get("seed", options.model.seed)),
        networks=networks_of(folder / "scores"),
        generation=generation,
        unmeasured=work.unmeasured,
    )
    shown = options.gallery if options.gallery is not None else work.benchmark.shareable
    gallery = Gallery(pictures=partial(_pictures, work)) if shown else None
    with working("writing the report"):
        results = write_report(folder, work.benchmark, logs, run_, gallery=gallery)
    CONSOLE.print(_table(work, results))
    CONSOLE.print(f"report: {folder}/{HTML}\nresults: {folder}/{RESULTS}")
    incomplete = [each for each in results.candidates.get("model", ()) if each.counts.num_problems]
    if incomplete:
        most = max(each.counts.num_problems for each in incomplete)
        CONSOLE.print(
            f"{most:,} of {incomplete[0].counts.expected:,} outputs have no value: they count as the worst, or the "
            "figure is withheld; the report says why"
        )
    return 1 if incomplete else 0


def _model_name(options: Options, generation: Mapping[str, Any]) -> str:
    if options.images is not None:
        return options.images.name
    adapter = generation.get("adapter")
    return f"{generation.get('base', options.pipeline.base_name)}" + (f" with {Path(adapter).name}" if adapter else "")


def _pictures(work: _Work, item_id: str, number: int) -> dict[str, Picture]:
    """What the gallery shows of an output."""
    item = next(item for item in work.benchmark.items if item.item_id == item_id)
    expected = work.benchmark.expected(item)
    reference = expected.references[0] if expected.references else None
    known = {"source": expected.source, "reference": reference, "target": expected.target}
    found = {name: picture for name, picture in known.items() if picture is not None}
    if expected.source is None and item.task == "control":
        found = {"condition": work.benchmark.question(item).pictures[0], **found}
    return found | {"output": decoded(work.outputs.find(item, number))}


def _table(work: _Work, results: Results) -> Table:
    """A row for each metric, a column for each candidate."""
    table = Table("metric", *work.candidates)
    for metric in work.metrics:
        cells: list[str] = []
        for candidate in work.candidates:
            figure = results.figure(candidate, metric.name)
            value = None if figure is None else figure.figure
            cells.append("–" if value is None else f"{value:.4f}")
        table.add_row(f"{metric.title} {'↑' if metric.better == 'higher' else '↓'}", *cells)
    return table


def _judge(options: Options) -> JudgeOptions:
    return options.scoring.judge(options.folder / "judge", options.pipeline.device)


def _networks(metrics: Sequence[AnyMetric]) -> set[str]:
    return {need.network for metric in metrics for need in metric.needs}


if __name__ == "__main__":
    sys.exit(main())
