"""``python -m benchmarks.model_training``: what weaving adds to a training step, and how well a GPU is used by it.

The price of the same tokens without weaving is that of the stock model on a frozen base: picture and text in one pass,
the source in another, each with gradients down to its input; its seconds per operation, times the operations of our
step without routers and experts (the source's keys are read, and no gradient goes where none is wanted). With
``--device cuda`` the full shape follows at growing batches: share of the GPU's measured matrix rate, memory, and what
dominates. Optimizers are left out: they hold 1 % of the numbers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.flux import SIDES, Flux, ratio
from cologen.model.costs import Flops, Tokens, plain_step, training_step
from cologen.model.source import SourceTokens

AIM, RATE_AIM = 1.05, 0.45
BATCHES = (1, 4, 8)
CONSOLE = Console(width=140)


def main() -> None:
    """Print the ratios; on a GPU, or with ``--use``, how well the device is used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--rounds", default=5, type=int)
    parser.add_argument("--use", action="store_true", help="matrix rate, memory and profile on the CPU too")
    options = parser.parse_args()
    if options.device.type == "cpu":
        torch.set_num_threads(1)
    flux = Flux.on(options.device)
    flux.model.train()
    table = Table(title=f"training {flux.shape.num_blocks} blocks of width {flux.shape.dim}, {flux.dtype}")
    for column in ("step / price of its tokens without weaving", "measured", "operations", "aim"):
        table.add_column(column, justify="right" if table.columns else "left")
    for side in SIDES:
        for checkpointing in (False, True):
            if side == SIDES[0] or checkpointing:  # without checkpointing, pictures of 1024² do not fit at 12 B
                _ratio(flux, side, checkpointing, options.rounds, table)
    CONSOLE.print(table)
    if options.use or options.device.type == "cuda":
        _print_use(flux, options.rounds)


def _ratio(flux: Flux, side: int, checkpointing: bool, rounds: int, table: Table) -> None:
    _set_checkpointing(flux, checkpointing)
    tokens = flux.tokens(side)
    alone = Tokens(image=sum(tokens.sources), text=0)
    taken = flux.seconds(
        {
            "woven": _training_step(flux, tokens, batch=1),
            "picture and text": _stock_step(flux, tokens),
            "source": _stock_step(flux, alone),
        },
        rounds,
    )
    taken["stock"] = [sum(pair) for pair in zip(taken["picture and text"], taken["source"], strict=True)]
    stock = sum(_stock_operations(flux, each, checkpointing) for each in (tokens, alone))
    bare = training_step(replace(flux.shape, num_experts=0), tokens, checkpointing=checkpointing).total
    woven = training_step(flux.shape, tokens, checkpointing=checkpointing).total
    measured = ratio(taken, "woven", "stock") * stock / bare
    name = f"{side}², {'with' if checkpointing else 'without'} checkpointing"
    table.add_row(name, f"{measured:.3f}", f"{woven / bare:.3f}", f"{AIM:.2f}")


def _training_step(flux: Flux, tokens: Tokens, batch: int) -> Callable[[], None]:
    """Both passes forward, then backward into the newest expert and the routers."""
    flux.model.freeze_for(flux.num_experts - 1)
    inputs = flux.inputs(tokens.image, tokens.text, batch)
    sources = [flux.source(count, batch) for count in tokens.sources]
    return partial(_step, flux, inputs, sources)


def _step(flux: Flux, inputs: dict[str, Tensor], sources: list[SourceTokens]) -> None:
    flux.model(**inputs, source=sources).sample.float().square().mean().backward()
    flux.model.zero_grad()


def _stock_step(flux: Flux, tokens: Tokens) -> Callable[[], None]:
    """The same base without a source, with gradients down to picture and text."""
    inputs = flux.inputs(tokens.image, tokens.text)
    for name in ("hidden_states", "encoder_hidden_states"):
        inputs[name].requires_grad_(True)
    return partial(_step_without, flux, inputs)


def _step_without(flux: Flux, inputs: dict[str, Tensor]) -> None:
    flux.model(**inputs).sample.float().square().mean().backward()


def _stock_operations(flux: Flux, tokens: Tokens, checkpointing: bool) -> int:
    """Forward, backward at the same price for matrices and twice that for attention, and once more forward."""
    forward = plain_step(flux.shape, tokens)
    again = forward if checkpointing else Flops()
    return 2 * forward.linear + 3 * forward.attention + again.total


def _print_use(flux: Flux, rounds: int) -> None:
    rate = _matrix_rate(flux, rounds)
    _set_checkpointing(flux, True)
    tokens = flux.tokens(SIDES[0])
    needed, executed = (training_step(flux.shape, tokens, checkpointing=again).total for again in (False, True))
    table = Table(title=f"training at {SIDES[0]}² with checkpointing; matrices alone: {rate / 1e12:.3g} TFLOP/s")
    for column in ("batch", "s/step", "samples/s", "executed / rate", f"aim {RATE_AIM:.0%}", "needed / rate", "GiB"):
        table.add_column(column, justify="right")
    for batch in BATCHES:
        seconds, memory = _measured(flux, _training_step(flux, tokens, batch), rounds)
        shares = [batch * count / seconds / rate for count in (executed, needed)]
        verdict = "met" if shares[0] >= RATE_AIM else "missed"
        row = (f"{seconds:.3g}", f"{batch / seconds:.3g}", f"{shares[0]:.1%}", verdict, f"{shares[1]:.1%}", memory)
        table.add_row(str(batch), *row)
    CONSOLE.print(table)
    CONSOLE.print(_profile(flux, _training_step(flux, tokens, BATCHES[0])), highlight=False, soft_wrap=True)


def _measured(flux: Flux, step: Callable[[], None], rounds: int) -> tuple[float, str]:
    """The fastest of some steps, and the most memory that tensors took, in GiB, where that is known."""
    on_gpu = flux.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(flux.device)
    seconds = min(flux.seconds({"step": step}, rounds)["step"])
    return seconds, f"{torch.cuda.max_memory_allocated(flux.device) / 2**30:.1f}" if on_gpu else "unknown"


def _matrix_rate(flux: Flux, rounds: int) -> float:
    """Operations per second of one large square product in the model's precision."""
    side = 8192 // flux.divisor
    left, right = (torch.randn(side, side, device=flux.device, dtype=flux.dtype) for _ in range(2))
    return 2 * side**3 / min(flux.seconds({"product": lambda: left @ right}, rounds)["product"])


def _profile(flux: Flux, step: Callable[[], None]) -> str:
    on_gpu = flux.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    step()
    with profile(activities=activities) as profiled:
        step()
    order = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    return profiled.key_averages().table(sort_by=order, row_limit=15, max_name_column_width=60)


def _set_checkpointing(flux: Flux, on: bool) -> None:
    switch = flux.model.enable_gradient_checkpointing if on else flux.model.disable_gradient_checkpointing
    switch()


if __name__ == "__main__":
    main()
