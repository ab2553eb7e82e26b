"""``python -m benchmarks.veteran``: what the veteran loss of the global batch adds to a training step.

A step of four micro batches is measured against the same step with a veteran loss for each micro batch, whose gradient
comes with the backward pass of L_task. That one is cheaper to know and wrong where micro batches lie on both sides of
ρ. Both ways take turns within a run, and the ratio is the median over rounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import get_args

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.flux import Flux, ratio
from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.model.router import NoisyRouter
from cologen.model.routing import Routing
from cologen.model.source import SourceTokens
from cologen.model.tokens import grid_ids, text_ids
from cologen.model.transformer import WovenTransformer
from cologen.model.veteran import Usage, VeteranGate
from cologen.model.weaving import Granularity

AIM, MICRO_BATCHES = 1.05, 4
GATE = VeteranGate(rho=0.8, alpha=0.5)
Loss = Callable[[], tuple[Tensor, Routing]]
"""L_task of a micro batch, and how it was routed."""


def main() -> None:
    """Print the ratio for the preset ``world-tiny`` and for a wider FLUX, with and without gradient checkpointing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--rounds", default=9, type=int)
    options = parser.parse_args()
    if options.device.type == "cpu":
        torch.set_num_threads(1)
    table = Table(title=f"a step of {MICRO_BATCHES} micro batches, veteran loss of the step / of each micro batch")
    for column in ("model", "measured", "aim"):
        table.add_column(column, justify="right" if table.columns else "left")
    flux = Flux.on(options.device)
    for checkpointing in (False, True):
        for routing in get_args(Granularity):
            world = _world(options.device, routing)
            _measure(flux, *world, f"world-tiny, {routing}", checkpointing, options.rounds, table)
        wide = f"FLUX at width {flux.shape.dim}, 512², sample"
        _measure(flux, flux.model, _flux_loss(flux), wide, checkpointing, options.rounds, table)
    Console(width=120).print(table)


def _measure(
    flux: Flux,
    model: WovenTransformer,
    loss: Loss,
    name: str,
    checkpointing: bool,
    rounds: int,
    table: Table,
) -> None:
    (model.enable_gradient_checkpointing if checkpointing else model.disable_gradient_checkpointing)()
    model.train().freeze_for(model.num_experts - 1)
    ways = {
        "step": partial(_step, model, [loss] * MICRO_BATCHES),
        "each": partial(_each, model, [loss] * MICRO_BATCHES),
    }
    taken = flux.seconds(ways, rounds)
    table.add_row(f"{name}{', checkpointing' * checkpointing}", f"{ratio(taken, 'step', 'each'):.3f}", f"{AIM:.2f}")


def _step(model: WovenTransformer, losses: Sequence[Loss]) -> None:
    routings = list[Routing]()
    for compute in losses:
        task, routing = compute()
        (task / len(losses)).backward()
        routings.append(routing)
    usage = Usage.total(routings)
    GATE.add_gradient(model, usage)
    model.zero_grad()


def _each(model: WovenTransformer, losses: Sequence[Loss]) -> None:
    with _without_slopes():
        for compute in losses:
            task, routing = compute()
            usage = Usage.of(routing)
            soft, hard = routing.probability[..., -1].mean(), usage.chosen[-1] / usage.choices[-1]
            veteran = GATE.alpha * (soft + (hard - soft).detach() - GATE.rho).abs()
            ((task + veteran) / len(losses)).backward()
    model.zero_grad()


@contextmanager
def _without_slopes() -> Generator[None, None, None]:
    """Routers that are not asked for what the veteran loss of a step needs."""
    kept = NoisyRouter.slope
    NoisyRouter.slope = lambda self, *given: None  # type: ignore[method-assign, return-value, assignment]
    try:
        yield
    finally:
        NoisyRouter.slope = kept  # type: ignore[method-assign]


def _world(device: torch.device, routing: Granularity) -> tuple[WovenTransformer, Loss]:
    """The model of the synthetic dataset with five experts, on micro batches of 8 pictures of 32²."""
    shape = preset("world-tiny")
    model = build(shape).transformer
    nn.Module.to(model, device)
    model.rebuild(0, rank=16, expert_scale=2.0, routing=routing, source_timestep="zero", dtype=torch.float32)
    for _ in range(5):
        model.add_expert(0)
    batch, side, config = 8, 8, dict(model.config)
    channels, words = config["in_channels"], 56
    source = SourceTokens(
        torch.randn(batch, side * side, channels, device=device), grid_ids(side, side, source=1).to(device)
    )
    given = {
        "hidden_states": torch.randn(batch, side * side, channels, device=device),
        "encoder_hidden_states": torch.randn(batch, words, config["joint_attention_dim"], device=device),
        "pooled_projections": torch.randn(batch, config["pooled_projection_dim"], device=device),
        "timestep": torch.rand(batch, device=device),
        "img_ids": grid_ids(side, side).to(device),
        "txt_ids": text_ids(words).to(device),
    }
    return model, partial(_loss, model, given, source)


def _flux_loss(flux: Flux) -> Loss:
    tokens = flux.tokens(512)
    return partial(_loss, flux.model, flux.inputs(tokens.image, tokens.text), flux.source(*tokens.sources))


def _loss(model: WovenTransformer, given: dict[str, Tensor], source: SourceTokens) -> tuple[Tensor, Routing]:
    found = model(**given, source=source)
    return found.sample.float().square().mean(), found.routing


if __name__ == "__main__":
    main()
