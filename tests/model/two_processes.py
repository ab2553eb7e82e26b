"""One training step over two processes, as a trainer takes it: what each of them runs, importable by both."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from cologen.model.adapters import save_adapter
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.routing import Routing
from cologen.model.veteran import Usage, VeteranGate
from cologen.trainer.distributed import gathering
from tests.model.tiny import inputs, tiny

BATCH = 4
GATE = VeteranGate(rho=0.5, alpha=0.5)
Kind = Literal["alone", "ddp", "fsdp"]
Case = tuple[Kind, str, bool]


def step(kind: Kind, routing: str, checkpointed: bool, folder: Path | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """Two steps of SGD at stage 1 on this process's share of the batch; the loss over all, and what was trained.

    Alone, the batch is one; over two processes, each sample is a micro batch. The adapter is saved to ``folder``, by
    all processes, from the model as it is wrapped.
    """
    rank, world = (0, 1) if kind == "alone" else (dist.get_rank(), dist.get_world_size())
    model = tiny(2, routing=routing).train()
    if checkpointed:
        model.enable_gradient_checkpointing()
    names = list(model.freeze_for(1))
    wrapped = wrap(model, kind)
    optimizer = torch.optim.SGD([weight for weight in wrapped.parameters() if weight.requires_grad], lr=0.5)
    place = [6] if routing == "token" else []
    noise = torch.randn(BATCH, 4, *place, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    share, size = range(rank * BATCH // world, (rank + 1) * BATCH // world), BATCH if kind == "alone" else 1
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        task, routings = torch.zeros(()).double(), list[Routing]()
        for first in share[::size]:
            given = inputs(batch=BATCH).share(first, first + size)
            with gathering(wrapped, last=first + size > share[-1]):
                found = wrapped(**given.stock(), source=given.sources, routing_noise=noise[first : first + size])
                loss = found.sample.square().mean() * size / len(share)
                loss.backward()
            task, routings = task + loss.detach(), [*routings, found.routing]
        usage = Usage.total(routings)
        GATE.add_gradient(wrapped, usage)
        optimizer.step()
        losses.append(overall(task, world) + GATE.loss(usage))
    if folder is not None:
        save_adapter(wrapped, folder)
    trained = dict(model.named_parameters())
    return torch.stack(losses), {name: whole(trained[name].detach()) for name in names}


def wrap(model: CoLoGenTransformer2DModel, kind: Kind) -> torch.nn.Module:
    """FSDP2 shards every block, every ``prw`` for itself, and what is left.

    It needs gradient checkpointing: a source's last keys leave their block by another way than its output, on which
    FSDP waits in order to bring the weights back.
    """
    if kind == "ddp":
        return DistributedDataParallel(model)
    if kind == "fsdp":
        for block in (*model.transformer_blocks, *model.single_transformer_blocks):
            fully_shard(block.attn.prw)
            fully_shard(block)
        fully_shard(model)
    return model


def overall(value: Tensor, world: int) -> Tensor:
    if world > 1:
        dist.all_reduce(value)
    return value / world


def whole(weight: Tensor) -> Tensor:
    return weight.full_tensor() if hasattr(weight, "full_tensor") else weight


def process(rank: int, world: int, folder: Path, cases: list[Case]) -> None:
    """Run every case and let the first process keep what came of it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=world)
    for number, case in enumerate(cases):
        result = step(*case, folder / f"adapter-{number}")
        if rank == 0:
            torch.save(result, folder / f"{number}.pt")
    dist.destroy_process_group()
