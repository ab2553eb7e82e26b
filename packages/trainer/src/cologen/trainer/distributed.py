"""The processes that train together: this rank, the model's wrapper, and collective operations.

It uses torch alone: ``torchrun``, ``accelerate launch`` and Ray Train all set the same variables (RANK, WORLD_SIZE,
LOCAL_RANK, MASTER_ADDR), so one loop serves them all. Without them a single process trains.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from cologen.datagen.weights import device_named
from cologen.model.transformer import WovenTransformer
from cologen.trainer.strategy import PATIENCE, Strategy


@dataclass(frozen=True, slots=True)
class Processes:
    """This rank among the training processes."""

    rank: int
    size: int
    device: torch.device
    patience: timedelta = field(default=PATIENCE, compare=False)
    _waiting: Any = field(default=None, compare=False, repr=False)
    """A process group on the CPU, in which the others wait for the first process; None: there is no other."""

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes the run's folder."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process (collective)."""
        return self.sum(float(flag)) > 0

    def sum(self, value: float) -> float:
        """The sum of a number over all processes (collective)."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def sums(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The sum of each of some numbers on the CPU over all processes (collective)."""
        if self.size == 1:
            return values
        total = values.to(self.device)
        dist.all_reduce(total)
        return total.cpu()

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()

    def first_does(self, work: Callable[[], object], what: str) -> None:
        """Let the first process do some work while the others wait, at most ``patience``; ``what`` describes it in
        messages.

        Raises:
            RuntimeError: in the others: it failed in the first one, whose own error says why, or took too long.
        """
        if self.size == 1:
            work()
        elif not self.first:
            self._hear(what)
        else:
            try:
                work()
            except BaseException:
                with suppress(RuntimeError):  # the other process may have ended
                    self._tell(done=False)
                raise
            self._tell(done=True)

    def _tell(self, *, done: bool) -> None:
        dist.broadcast(torch.tensor([float(done)]), src=0, group=self._waiting)

    def _hear(self, what: str) -> None:
        done = torch.zeros(1)
        try:
            dist.broadcast(done, src=0, group=self._waiting)
        except RuntimeError as error:
            raise RuntimeError(
                f"process {self.rank} waited for the first one, which was {what}, and it ended, or was not done after "
                f"{self.patience} (--wait-minutes): {str(error).splitlines()[0]}"
            ) from error
        if not done.item():
            raise RuntimeError(f"process {self.rank} ends: the first one failed {what}, and says why")


@contextmanager
def joined(device: str = "auto", patience: timedelta = PATIENCE) -> Generator[Processes, None, None]:
    """Join the other processes, if a launcher started several, for the length of the block.

    Args:
        device: cpu, cuda, or auto.
        patience: how long they wait while the first one works alone.

    Raises:
        ValueError: a device that this machine does not have.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if place.type == "cuda":
        torch.cuda.set_device(place)
    ours = size > 1 and not dist.is_initialized()  # Ray Train has done it already
    if ours:
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        waiting: Any = dist.new_group(backend="gloo", timeout=patience) if size > 1 else None
        yield Processes(rank, size, place, patience, waiting)
    finally:
        if ours:
            dist.destroy_process_group()


def wrapped(model: WovenTransformer, processes: Processes, strategy: Strategy) -> nn.Module:
    """The model as several processes train it: whole on each of them, or sharded.

    Sharded, each block is a unit of its own, and so is its pool of experts, whose numbers have another precision.

    Raises:
        ValueError: sharding without gradient checkpointing. FSDP does not see the keys and values that a block returns
            beside its output, so for their gradient the weights would be freed already. Checkpointing runs the block
            again, which gathers them.
    """
    if strategy == "fsdp" and processes.size > 1:
        if not model.is_gradient_checkpointing:
            raise ValueError("--strategy fsdp needs gradient checkpointing: --set gradient_checkpointing=true")
        mesh = init_device_mesh(processes.device.type, (processes.size,))
        policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
        for part in (*(block.attn.prw for block in model.blocks), *model.blocks, model):
            fully_shard(part, mesh=mesh, mp_policy=policy)
        return model
    if processes.size > 1:
        devices = [processes.device.index] if processes.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)  # it has no buffers to be synchronized
    return model


@contextmanager
def gathering(model: nn.Module, last: bool) -> Generator[None, None, None]:
    """Exchange gradients in the ``last`` micro batch of a step only."""
    if isinstance(model, nn.parallel.DistributedDataParallel):
        with nullcontext() if last else model.no_sync():
            yield
        return
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last)
    yield


def resharded(model: nn.Module) -> None:
    """Have a sharded model forget whole weights: a pass that no backward one follows leaves some."""
    if isinstance(model, FSDPModule):
        model.reshard()


def whole(tensor: Tensor) -> Tensor:
    """A tensor that may be sharded, in one piece (collective)."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_experts(model: nn.Module) -> dict[str, Tensor]:
    """The sharded weights of experts and routers, unsharded on the CPU (collective)."""
    pool = {
        name: weight for name, weight in model.named_parameters() if ".prw." in name and isinstance(weight, DTensor)
    }
    return {name: whole(weight.detach()).cpu() for name, weight in pool.items()}


def sharded_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, moved and sharded like another of its shape."""
    if isinstance(like, DTensor):
        return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
    return tensor.to(like.device)


@torch.no_grad()
def loaded_into(weights: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Overwrite weights with others of the same shape and sharding."""
    for name, weight in weights.items():
        weight.copy_(values[name])


def clip(parameters: Iterable[nn.Parameter], largest: float) -> float:
    """Scale the gradients to a norm of ``largest`` at most, and return the norm they had."""
    return float(whole(nn.utils.clip_grad_norm_(parameters, largest)))


def _device(name: str, local_rank: int) -> torch.device:
    """The device of that name: of GPUs without a number, the one of this process."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return device_named(f"cuda:{local_rank}" if name == "cuda" else name)
