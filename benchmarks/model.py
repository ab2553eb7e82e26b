"""``python -m benchmarks.model``: what seeing a source costs a denoising step, and what more experts cost a source.

For FLUX.1 and for FLUX.2 klein (4B). On the CPU in one thread with a model in the proportions of the full shape; with
``--device cuda`` the full shape at random weights. Ways are interleaved, ratios are medians over rounds, and beside
each stands the ratio of operations: the floor, were all of them equally fast and the clock exact.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import get_args

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.flux import SIDES, Flux, ratio
from cologen.model.adapter_index import BaseKind
from cologen.model.costs import Tokens, cached_step, parameters, plain_step, source_pass
from cologen.model.weaving import Granularity

STEPS = 28
AIMS = {512: (1.10, 1.15), 1024: (1.22, 1.26)}  # of a step, and of all steps with the source pass
EXPERTS_AIM = 1.10
CONSOLE = Console(width=120)


def main() -> None:
    """Print each base's parameters with its experts, and a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--rounds", default=7, type=int)
    options = parser.parse_args()
    if options.device.type == "cpu":
        torch.set_num_threads(1)
    for base in get_args(BaseKind):
        _measure(Flux.on(options.device, base), options.rounds)


def _measure(flux: Flux, rounds: int) -> None:
    _print_parameters(flux)
    table = Table(title=f"{flux.shape.num_blocks} blocks of width {flux.shape.dim}, {flux.dtype}, {flux.device}")
    for column in ("ratio", "measured", "operations", "aim"):
        table.add_column(column, justify="left" if column == "ratio" else "right")
    flux.model.eval()
    with torch.no_grad():
        for side in SIDES:
            _steps(flux, side, rounds, table)
        for side in SIDES:
            _experts(flux, side, rounds, table)
    CONSOLE.print(table)


def _print_parameters(flux: Flux) -> None:
    counted = parameters(Flux.on(torch.device("cuda"), flux.base).shape)
    CONSOLE.print(
        f"{flux.preset.name}: base {counted.base / 1e9:.2f} B, each expert {counted.per_expert / 1e6:.1f} M, "
        f"routers of five experts {counted.router / 1e6:.2f} M parameters"
    )


def _steps(flux: Flux, side: int, rounds: int, table: Table) -> None:
    tokens = flux.tokens(side)
    inputs = flux.inputs(tokens.image, tokens.text)
    side_by_side = Tokens(image=tokens.image + sum(tokens.sources), text=tokens.text)
    source, pooled = flux.source(*tokens.sources), flux.pooled()
    cache = flux.model.encode_source(source, pooled_projections=pooled)
    taken = flux.seconds(
        {
            "plain": lambda: flux.model(**inputs),
            "cached": lambda: flux.model(**inputs, source=cache),
            "source": lambda: flux.model.encode_source(source, pooled_projections=pooled),
            "concatenated": partial(flux.model, **flux.inputs(side_by_side.image, side_by_side.text)),
        },
        rounds,
    )
    plain = plain_step(flux.shape, tokens).total
    step = cached_step(flux.shape, tokens).total / plain
    encoding = source_pass(flux.shape, tokens).total / plain
    step_aim, all_aim = AIMS[side]
    measured = ratio(taken, "cached", "plain")
    _row(table, f"{side}²: step with a cache / plain step", measured, step, step_aim)
    over_all = measured + ratio(taken, "source", "plain") / STEPS
    _row(table, f"{side}²: {STEPS} steps and the source pass / plain steps", over_all, step + encoding / STEPS, all_aim)
    full = plain_step(flux.shape, side_by_side).total / plain
    _row(table, f"{side}²: full attention over all tokens / plain step", ratio(taken, "concatenated", "plain"), full)
    _row(table, f"{side}²: source pass / plain step", ratio(taken, "source", "plain"), encoding)


def _experts(flux: Flux, side: int, rounds: int, table: Table) -> None:
    source, pooled = flux.source(*flux.tokens(side).sources), flux.pooled()
    cases = {
        f"{routing}, {number}": flux.pools(number, routing) for routing in get_args(Granularity) for number in (1, 5)
    }

    def encode(case: str) -> None:
        flux.install(cases[case])
        flux.model.encode_source(source, pooled_projections=pooled)

    taken = flux.seconds({case: partial(encode, case) for case in cases}, rounds)
    for routing in get_args(Granularity):
        measured = ratio(taken, f"{routing}, 5", f"{routing}, 1")
        _row(table, f"{side}²: source pass, 5 experts / 1, routed by {routing}", measured, None, EXPERTS_AIM)


def _row(table: Table, name: str, measured: float, operations: float | None, aim: float | None = None) -> None:
    table.add_row(name, f"{measured:.3f}", f"{operations:.3f}" if operations else "", f"{aim:.2f}" if aim else "")


if __name__ == "__main__":
    main()
