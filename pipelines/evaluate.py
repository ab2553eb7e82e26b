"""``python -m pipelines.evaluate --bench magicbrush --root DIR --adapter DIR --base DIR --out DIR``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from cologen.datagen.manifest.folder import Folder
from cologen.evaluation.records import Question, ScoreError
from cologen.evaluation.scoring.opening import open_scorer
from cologen.model.gpus import gpu_named
from pipelines.console import CONSOLE, progress_over_count, run, working
from pipelines.evaluation_options import Options
from pipelines.evaluation_steps import generate_outputs, report, score_outputs, scorer_spec
from pipelines.evaluation_work import EvaluationWork

_FORECAST_ITEMS = 16


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _evaluate, args)


def _evaluate(options: Options) -> int:
    """The steps that are asked for; 1 where a figure does not rest on all outputs."""
    work = EvaluationWork.open(options)
    _introduce(work)
    if options.dry_run:
        return _dry_run(work)
    folder = Folder.open(options.folder)
    folder.create()
    with folder.locked("evaluating in"):
        return _steps(work)


def _steps(work: EvaluationWork) -> int:
    options = work.options
    if options.only in ("all", "score"):
        with working("loading networks"):  # what is wrong with them should not be found after days of generating
            open_scorer(replace(scorer_spec(work), device="cpu"))
    if options.only in ("all", "generate") and options.images is None:
        generate_outputs(work)
    if options.only in ("all", "score"):
        score_outputs(work)
    return report(work) if options.only in ("all", "report") else 0


def _introduce(work: EvaluationWork) -> None:
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
    if work.options.only == "report":
        return  # the log knows
    for why in dict.fromkeys(work.unmeasured.values()):
        names = ", ".join(name for name, each in work.unmeasured.items() if each == why)
        CONSOLE.print(f"not measured: {names}: {why}")


def _dry_run(work: EvaluationWork) -> int:
    """Items, what is missing and hours; 1 where pictures of the dataset are missing."""
    # Here, since it imports transformers, which takes seconds that no other step needs.
    from cologen.evaluation.generating.forecast import forecast

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
        f"{missing:,} outputs to generate, {expected.flops_per_output / 1e12:,.3g} TFLOP each: "
        f"{expected.hours(gpu):,.3g} hours of one {gpu.name}, text encoders and codec left out"
    )
    CONSOLE.print(f"measured: {', '.join(metric.name for metric in work.metrics) or 'nothing'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
