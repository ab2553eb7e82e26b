"""The three steps of `evaluate`: outputs, scores, report. Each keeps what is there, and rests on files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.table import Table

from cologen.datagen.model_files import sha256_of
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.generating.asking import open_generator
from cologen.evaluation.generating.generate import Workers, generate
from cologen.evaluation.judges.options import JudgeOptions
from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.networks.checkpoints import file_of
from cologen.evaluation.networks.loading import DEFAULTS, files_of_networks
from cologen.evaluation.reporting.grids import ARROWS, NO_FIGURE
from cologen.evaluation.reporting.report import HTML, RESULTS, write_report
from cologen.evaluation.reporting.results import Results, Run, versions
from cologen.evaluation.scoring.opening import ScorerSpec, open_scorer
from cologen.evaluation.scoring.score import SETTINGS_NAME, changed_outputs, networks_of, score, unscored_parts
from cologen.evaluation.settings import in_words, read_settings
from cologen.model.opening import fingerprint
from pipelines.console import CONSOLE, progress_over_count, working
from pipelines.evaluation_gallery import gallery_of
from pipelines.evaluation_options import Options
from pipelines.evaluation_work import EvaluationWork

_SCORED_BY = frozenset({"reference", "captions", "items", "region", "judge", *DEFAULTS})
"""What a protocol says that decides scores alone, and no output."""
_SCORED: Mapping[str, type] = MappingProxyType(
    {"protocol": dict, "metrics": dict, "unmeasured": dict, "items": list, "candidates": list, "outputs": str,
     "model": str, "generation": dict, "versions": dict}
)  # fmt: skip
"""What a report reads of the settings under which a log was made."""


def generate_outputs(work: EvaluationWork) -> None:
    """Make the outputs that are missing.

    Raises:
        ValueError: the folder holds outputs of another model or protocol.
    """
    options, outputs = work.options, work.outputs
    outputs.begin(_generation(work), fresh=options.fresh)
    missing = len(outputs.missing(work.benchmark.items))
    load = partial(open_generator, options.pipeline, work.sampling)
    workers = Workers(size=work.size, cluster=work.cluster, batch_size=options.place.batch_size)
    with progress_over_count(missing, "generating", "outputs") as advance:
        made = generate(work.benchmark, outputs, load, seed=options.model.seed, workers=workers, progress=advance)
    CONSOLE.print(f"{made.made:,} outputs generated, {made.found:,} were there, {made.failed:,} could not be made")


def _generation(work: EvaluationWork) -> dict[str, Any]:
    """Everything that decides an output: it is kept beside the outputs, and a folder of others is refused.

    What decides scores alone (reference, captions, networks) and how many items are asked may change.
    """
    spec, model = work.options.pipeline, work.options.model
    asked = {f"protocol: {name}": said for name, said in work.benchmark.protocol.items() if name not in _SCORED_BY}
    made_by = {
        "benchmark": work.benchmark.name,
        "base": spec.base_name,
        "adapter": None if spec.adapter is None else str(spec.adapter),
        "weights": fingerprint(spec),
        "stage": spec.stage,
        "dtype": spec.dtype,
        "device": spec.device.partition(":")[0],
        "seed": model.seed,
        "sampling": work.sampling,
    }
    return asked | made_by | _extractor(work)


def _extractor(work: EvaluationWork) -> dict[str, str]:
    """A hash of the network that draws the conditions, where the benchmark has one and it is given.

    Raises:
        FileNotFoundError: there is no such file.
    """
    from cologen.evaluation.networks.control import FILES  # here, since it imports torch's networks

    weights = work.options.protocol.extractor
    if weights is None:
        return {}
    file = file_of(str(weights), FILES[work.options.bench.removeprefix("control_")])
    return {"extractor": sha256_of(file)[:16]}


def score_outputs(work: EvaluationWork) -> None:
    """Score the parts that are not scored yet, or whose outputs have changed.

    Raises:
        FileNotFoundError, ValueError: a network or judge is missing or damaged.
    """
    options, spec = work.options, scorer_spec(work)
    found = work.outputs.found(work.benchmark.items)
    if extra := work.outputs.extra(found):
        CONSOLE.print(f"{len(extra):,} pictures in {work.outputs.path} belong to no item, such as {extra[0]}")
    if shared := [(path, names) for path, names in found.items() if len(names) > 1]:
        path, names = shared[0]
        raise ValueError(f"{path} would be {' and '.join(names)}: name outputs ITEM-NUMBER.png, so that each is one")
    if "model" in work.candidates and not found:
        example = f"{work.benchmark.items[0].item_id}-0.png"
        raise FileNotFoundError(f"{work.outputs.path} has no output of any item: expected names such as {example}")
    generation = work.outputs.settings()
    settings = {
        "protocol": dict(work.benchmark.protocol),
        "metrics": {metric.name: metric.protocol for metric in work.metrics},
        "unmeasured": dict(work.unmeasured),
        "networks": files_of_networks(_networks(work.metrics) - {"judge"}, work.sources),
        "judge": options.scoring.judge_model or (options.scoring.judge_folder and str(options.scoring.judge_folder)),
        "items": [item.item_id for item in work.benchmark.items],
        "candidates": list(work.candidates),
        "outputs": str(work.outputs.path.resolve()),
        "model": _model_name(options, generation),
        "generation": generation,
        "versions": versions(),
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


def scorer_spec(work: EvaluationWork) -> ScorerSpec:
    """What a process needs to score parts."""
    options = work.options
    return ScorerSpec(
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


def report(work: EvaluationWork) -> int:
    """Figures, tables and gallery from the log alone; nothing is generated or scored, and no network is needed.

    Raises:
        FileNotFoundError: nothing is scored.
        ValueError: the log is not whole, or of another protocol, other items or other outputs than are there.
    """
    folder, benchmark = work.options.folder, work.benchmark
    scored = _scored(work)
    generation: Mapping[str, Any] = scored["generation"]
    unmeasured = {metric.name: scored["unmeasured"].get(metric.name, "") for metric in benchmark.metrics}
    run_ = Run(
        model=scored["model"],
        seed=int(generation.get("seed", 0)),
        networks=networks_of(folder / "scores"),
        generation={name: value for name, value in generation.items() if not name.startswith("protocol: ")},
        unmeasured={name: why for name, why in unmeasured.items() if name not in scored["metrics"]},
        versions=scored["versions"],
    )
    logs = {name: folder / "scores" / name for name in scored["candidates"]}
    shown = work.options.gallery if work.options.gallery is not None else benchmark.shareable
    gallery = gallery_of(work) if shown else None
    with working("writing the report"):
        results = write_report(folder, benchmark, logs, run_, gallery=gallery)
    CONSOLE.print(_table(benchmark, results))
    CONSOLE.print(f"report: {folder}/{HTML}\nresults: {folder}/{RESULTS}")
    incomplete = [each for each in results.candidates.get("model", ()) if each.counts.num_problems]
    if incomplete:
        most = max(each.counts.num_problems for each in incomplete)
        CONSOLE.print(
            f"{most:,} of {incomplete[0].counts.expected:,} outputs have no value: they count as the worst, or the "
            "figure is withheld; the report says why"
        )
    return 1 if incomplete else 0


def _scored(work: EvaluationWork) -> dict[str, Any]:
    """How the log was made, checked against what is asked now."""
    scores = work.options.folder / "scores"
    try:
        scored = read_settings(scores / SETTINGS_NAME)
    except FileNotFoundError:
        raise FileNotFoundError(f"nothing is scored in {scores}: run --only score, or without --only") from None
    if lacking := [name for name, kind in _SCORED.items() if not isinstance(scored.get(name), kind)]:
        raise ValueError(f"{scores / SETTINGS_NAME} says no {' and no '.join(lacking)}: run --only score first")
    if words := in_words(scored["protocol"], work.benchmark.protocol):
        raise ValueError(f"{scores} was scored under another protocol ({words}): run --only score first")
    if scored["outputs"] != str(work.outputs.path.resolve()):
        raise ValueError(f"{scores} is of the outputs in {scored['outputs']}: run --only score first")
    if scored["items"] != [item.item_id for item in work.benchmark.items]:
        raise ValueError(f"{scores} is of {len(scored['items']):,} other items: run --only score first")
    if lacking := unscored_parts(work.benchmark, scores, scored["candidates"]):
        raise ValueError(f"{scores} is not whole, it lacks {', '.join(lacking[:3])}: run --only score first")
    if "model" in scored["candidates"] and (changed := changed_outputs(work.benchmark, work.outputs, scores)):
        raise ValueError(f"{changed:,} outputs have changed since they were scored: run --only score first")
    return scored


def _model_name(options: Options, generation: Mapping[str, Any]) -> str:
    if options.images is not None:
        return options.images.resolve().name
    adapter = generation.get("adapter")
    return f"{generation.get('base', options.pipeline.base_name)}" + (f" with {Path(adapter).name}" if adapter else "")


def _table(benchmark: Benchmark, results: Results) -> Table:
    """A row for each metric, a column for each candidate."""
    table = Table("metric", *results.candidates)
    for metric in benchmark.metrics:
        if metric.name in results.run.unmeasured:
            continue
        cells: list[str] = []
        for candidate in results.candidates:
            figure = results.figure(candidate, metric.name)
            value = None if figure is None else figure.figure
            cells.append(NO_FIGURE if value is None else f"{value:.4f}")
        table.add_row(f"{metric.title} {ARROWS[metric.better]}", *cells)
    return table


def _judge(options: Options) -> JudgeOptions:
    return options.scoring.judge(options.folder / "judge", options.pipeline.device)


def _networks(metrics: Sequence[AnyMetric]) -> set[str]:
    return {need.network for metric in metrics for need in metric.needs}
