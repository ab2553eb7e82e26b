"""A pool of extractors for training: batches of pictures in, their maps out in the same order, here or on Ray.

A pool of actors gives the same maps as this process alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float

from cologen.datagen.control.maps import Extractor, Images
from cologen.datagen.engine.cluster import Cluster, connected

Batch = tuple[int, Images]
"""Pictures or maps under their index; indices only increase."""

Load = Callable[[], Extractor]
"""Loads the extractor where it is to run: ``partial(load_hed, "weights/ControlNetHED.pth")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Pictures so far, the seconds from the first one given to the last map taken, and every actor's pace.

    The pace is in pictures per second of work; the seconds count loading, waiting and whatever the caller did between.
    """

    images: int
    seconds: float
    per_actor: tuple[float, ...]

    @property
    def images_per_second(self) -> float:
        """Of all actors together."""
        return self.images / self.seconds if self.seconds else 0.0


class Extraction(Protocol):
    """What training gets maps from, wherever they are computed."""

    def maps(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The maps of every batch under its index, in order; batches are fetched a few ahead and no further.

        Raises:
            ValueError: an index does not increase; or what loading the extractor raises.
            RuntimeError: a batch outlived its last actor.
        """
        ...

    def throughput(self) -> Throughput:
        """Pictures so far and their pace."""
        ...


@dataclass(slots=True)
class _Work:
    """Pictures done by one actor, and the seconds that they took it."""

    images: int = 0
    seconds: float = 0.0

    def add(self, images: int, seconds: float) -> None:
        self.images += images
        self.seconds += seconds

    @property
    def pace(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0


class InProcess:
    """The extractor in this process, one batch at a time."""

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._work = _Work()

    def maps(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """See :meth:`Extraction.maps`."""
        for index, images in _increasing(batches):
            start = time.perf_counter()
            found = self._extractor(images)
            self._work.add(len(images), time.perf_counter() - start)
            yield index, found

    def throughput(self) -> Throughput:
        """See :class:`Throughput`; there is one actor, this process."""
        return Throughput(images=self._work.images, seconds=self._work.seconds, per_actor=(self._work.pace,))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSize:
    """Actors, what each reserves, and how many batches may be on their way at once (in Ray's memory, as float32).

    A batch is retried after the death of up to ``retries`` actors, so that one which kills its actors is given up.
    """

    num_actors: int = 1
    num_gpus: float = 0.0
    num_cpus: float = 1.0
    depth: int = 4
    retries: int = 3

    def __post_init__(self) -> None:
        if min(self.num_actors, self.depth) < 1 or self.retries < 0:
            raise ValueError(
                "num_actors and depth must be positive and retries not negative, "
                f"got {self.num_actors}, {self.depth} and {self.retries}"
            )


@contextmanager
def ray_pool(load: Load, size: PoolSize, cluster: Cluster) -> Generator[RayPool]:
    """A pool of Ray actors for the length of the block, each with an extractor of its own."""
    with connected(cluster) as ray:
        pool = RayPool(ray, load, size)
        try:
            yield pool
        finally:
            pool.close()


@dataclass(frozen=True, slots=True)
class _Task:
    index: int
    actor: int
    device: torch.device
    result: Any


@dataclass(slots=True)
class RayPool:
    """Actors that share the batches among them; made by :func:`ray_pool`.

    Ray starts an actor anew when it dies, its machine included, and gives it the batches again that it had not done;
    the pictures stay with this process until then. Nothing is lost or out of order, since maps are taken by index.
    """

    ray: ModuleType
    load: Load
    size: PoolSize
    _actors: list[Any] = field(init=False)
    _work: list[_Work] = field(init=False)
    _first_given: float = field(init=False, default=0.0)
    _last_taken: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        actor = self.ray.remote(
            num_gpus=self.size.num_gpus,
            num_cpus=self.size.num_cpus,
            max_restarts=-1,
            max_task_retries=self.size.retries,
        )(_ControlActor)
        self._actors = [actor.remote(self.load, torch.get_num_threads()) for _ in range(self.size.num_actors)]
        self._work = [_Work() for _ in self._actors]

    def maps(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """See :meth:`Extraction.maps`; at most ``depth`` batches are on their way."""
        waiting = deque[_Task]()
        for index, images in _increasing(batches):
            if len(waiting) == self.size.depth:
                yield self._taken(waiting)
            waiting.append(self._given(index, images, waiting))
        while waiting:
            yield self._taken(waiting)

    def throughput(self) -> Throughput:
        """See :class:`Throughput`."""
        return Throughput(
            images=sum(work.images for work in self._work),
            seconds=self._last_taken - self._first_given,
            per_actor=tuple(work.pace for work in self._work),
        )

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            self.ray.kill(actor)

    def _given(self, index: int, images: Images, waiting: Sequence[_Task]) -> _Task:
        self._first_given = self._first_given or time.perf_counter()
        actor = self._least_busy(waiting)
        result = self._actors[actor].maps.remote(images.detach().cpu().numpy())
        return _Task(index, actor, images.device, result)

    def _least_busy(self, waiting: Sequence[_Task]) -> int:
        """By the batches it has not done; among equals the one that did least."""
        results = [task.result for task in waiting]
        _, open_results = self.ray.wait(results, num_returns=len(results), timeout=0) if results else ([], [])
        busy = [task.actor for task in waiting if task.result in open_results]
        return min(range(len(self._actors)), key=lambda actor: (busy.count(actor), self._work[actor].images))

    def _taken(self, waiting: deque[_Task]) -> Batch:
        task = waiting.popleft()
        try:
            maps, seconds = self.ray.get(task.result)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self.ray.exceptions.RayActorError as error:
            raise RuntimeError(f"batch {task.index} outlived {self.size.retries + 1} actors: {error}") from error
        self._work[task.actor].add(len(maps), seconds)
        self._last_taken = time.perf_counter()
        return task.index, torch.from_numpy(maps.copy()).to(task.device)


class _ControlActor:
    """A process of its own for an extractor, loaded with the first batch, so that its errors reach the caller.

    On the CPU the last bits of a sum depend on how many threads share it: it has as many as the process that asks.
    """

    def __init__(self, load: Load, num_threads: int) -> None:
        torch.set_num_threads(num_threads)
        self._load = load
        self._extractor: Extractor | None = None

    def maps(
        self, images: Float[np.ndarray, "batch 3 height width"]
    ) -> tuple[Float[np.ndarray, "batch 3 height width"], float]:
        """The maps, and the seconds that they took."""
        self._extractor = self._extractor or self._load()
        start = time.perf_counter()
        found = self._extractor(torch.from_numpy(images.copy())).numpy()
        return found, time.perf_counter() - start


def _increasing(batches: Iterable[Batch]) -> Iterator[Batch]:
    last = -1
    for index, images in batches:
        if index <= last:
            raise ValueError(f"indices of batches must increase from 0, got {index} after {last}")
        last = index
        yield index, images
