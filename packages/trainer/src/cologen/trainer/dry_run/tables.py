"""A run's plan as tables on a terminal."""

from __future__ import annotations

from dataclasses import fields

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cologen.reports.durations import duration
from cologen.trainer.dry_run.estimates import Memory
from cologen.trainer.dry_run.forecast import RunForecast, StageForecast


def rendered(plan: RunForecast) -> RenderableType:
    """All of the plan: stages, time, memory, samples, disk, the assumptions, and what is missing or does not fit."""
    return Group(
        Text(f"{plan.recipe.name}: {plan.recipe.preset}, {plan.recipe.resolution.side} pixels", style="bold"),
        _stages(plan),
        _times(plan),
        _memory(plan),
        _samples(plan),
        _disk(plan),
        Text(_assumptions(plan), style="dim"),
        *_listed("Built before the training begins", plan.to_build, style="bold"),
        *_listed("Missing", plan.missing),
        *_listed("Does not fit", plan.problems),
        *([Text("Ready to train.", style="green")] if plan.ready else []),
    )


def _stages(plan: RunForecast) -> Table:
    table = _table("stage", "steps", "batch", "samples", "learning rate", "parameters", "trained")
    for each in plan.stages:
        table.add_row(
            _name(each),
            f"{each.stage.iterations:,}",
            f"{each.stage.global_batch:,}",
            f"{each.stage.iterations * each.stage.global_batch:,}",
            each.stage.learning_rate_words,
            _short(each.parameters),
            _short(each.trained),
        )
    return table


def _times(plan: RunForecast) -> Table:
    """The global batch as micro batch × GPUs × accumulation, and how long it takes, with validation's share of it."""
    table = _table(
        "time", "micro × GPUs × accumulated", "operations", "validation", "s per step", "days", _on_gpus(plan)
    )
    for each in plan.stages:
        accumulated = "?" if each.accumulation is None else f"{each.accumulation:,}"
        table.add_row(
            _name(each),
            f"{plan.recipe.micro_batch} × {plan.setup.num_gpus} × {accumulated}",
            f"{each.operations:.2e}",
            f"{each.validating / (each.operations + each.validating):.1%}",
            f"{each.seconds_per_step:.3g}",
            _days(each.seconds),
            _time(each.seconds),
        )
    total = sum(each.seconds for each in plan.stages)
    operations = sum(each.operations for each in plan.stages)
    validating = sum(each.validating for each in plan.stages)
    share = f"{validating / (operations + validating):.1%}" if plan.stages else "0.0%"
    table.add_section()
    table.add_row("all", "", f"{operations:.2e}", share, "", _days(total), _time(total))
    return table


def _memory(plan: RunForecast) -> Table:
    parts = [field.name for field in fields(Memory)]
    table = _table("GB per GPU", *parts, "total")
    for each in plan.stages:
        numbers = [*(getattr(each.memory, part) for part in parts), each.memory.total]
        table.add_row(_name(each), *(f"{number / 1e9:.2f}" for number in numbers))
    return table


def _samples(plan: RunForecast) -> Table:
    table = _table("manifest", "stage", "rows", "samples", "epochs")
    for each in plan.stages:
        for name in each.stage.sources:
            rows, samples = each.rows.get(name), (each.samples or {}).get(name)
            epochs = f"{samples / rows:.2f}" if rows and samples is not None else "?"
            table.add_row(name, _name(each), _count(rows), _count(samples), epochs)
    return table


def _disk(plan: RunForecast) -> Table:
    recipe, needed = plan.recipe, plan.disk
    table = _table("disk", "GB", "")
    checkpoints = f"{needed.num_checkpoints} × {needed.checkpoint / 1e9:.2f}"
    for name, size, note in (
        ("checkpoints", needed.checkpoint * needed.num_checkpoints, checkpoints),
        ("adapter or base", needed.result, f"{needed.free / 1e9:,.0f} GB are free for the run"),
        ("data to build", needed.data, ""),
        (
            "cache: rows of what is there",
            needed.rows,
            f"{needed.free_for_cache / 1e9:,.0f} GB are free for the cache",
        ),
        ("cache: text", needed.text, "at most (cache_gb)" if needed.text is not None else "off (cache_text)"),
        ("stored text", needed.stored_text, "made ahead" if recipe.stored_text else "off (stored_text)"),
        ("cache: latents", needed.latents, "at most (cache_gb)" if needed.latents is not None else "off"),
    ):
        table.add_row(name, "–" if size is None else f"{size / 1e9:,.2f}", note)
    return table


def _assumptions(plan: RunForecast) -> str:
    setup = plan.setup
    return (
        f"Assumed: {setup.gpu.name} with {setup.gpu.memory:g} GB and {setup.gpu.peak / 1e12:g} TFLOP/s in bf16, "
        f"of which {setup.utilization:.0%} is reached (--utilization); codec, text encoder and data take no time. "
        "Memory counts weights, gradients, the optimizer's averages, EMA and what autograd keeps for one micro batch "
        "of squares, and is an estimate. Text in the cache is counted uncompressed, once for each row."
    )


def _listed(title: str, lines: tuple[str, ...], style: str = "bold red") -> list[Text]:
    """Each on one line, however long: the terminal wraps it, so that a path in it can be copied."""
    listed = [Text(f"  {line}", no_wrap=True, overflow="ignore") for line in lines]
    return [Text(f"{title}:", style=style), *listed] if listed else []


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=None, header_style="bold", pad_edge=False)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _on_gpus(plan: RunForecast) -> str:
    setup = plan.setup
    return f"{setup.num_gpus} × {setup.gpu.name}{' FSDP' if setup.sharded else ''}"


def _name(each: StageForecast) -> str:
    return f"{each.number} {each.stage.task}"


def _time(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else duration(seconds)


def _days(seconds: float) -> str:
    return f"{seconds / 86_400:,.2f}"


def _short(count: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count)


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
