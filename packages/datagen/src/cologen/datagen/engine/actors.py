"""Tasks to results by processes that each load something heavy once: a pipeline, networks. Here, or on Ray.

    with task_workers(load, WorkerSize(num_workers=2), cluster) as workers:
        for index, result in workers.results(tasks):   # as they finish, in any order
            ...

With one worker and no cluster the tasks run in this process, and nothing of Ray is started. A task's result does not
depend on where it runs: each process computes with the same number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from cologen.datagen.engine.cluster import Cluster, connected

Task = TypeVar("Task")
Result = TypeVar("Result")
_Given = TypeVar("_Given", contravariant=True)
_Made = TypeVar("_Made", covariant=True)

Load = Callable[[], Callable[[Task], Result]]
"""Loads what does the work, in the process that is to do it; picklable, such as a ``partial`` of a function."""

_TASKS_PER_WORKER = 2  # one at work, one waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSize:
    """How many workers, and what each has: CPU threads, and Ray's share of GPUs.

    A task survives the death of ``retries`` workers, since one that kills every worker must not do so for ever.
    """

    num_workers: int = 1
    num_threads: int = 1
    num_gpus: float = 0.0
    retries: int = 3

    def __post_init__(self) -> None:
        if min(self.num_workers, self.num_threads) < 1 or self.retries < 0 or self.num_gpus < 0:
            raise ValueError(
                "num_workers and num_threads must be positive, num_gpus and retries not negative, "
                f"got {self.num_workers}, {self.num_threads}, {self.num_gpus} and {self.retries}"
            )


class TaskWorkers(Protocol[_Given, _Made]):
    """Workers that are there for the length of a block."""

    def results(self, tasks: Iterable[_Given]) -> Iterator[tuple[int, _Made]]:
        """(place among the tasks, result), as they finish; tasks are taken a few ahead and no further.

        Raises:
            RuntimeError: a task outlived its last worker.
            Exception: what loading or the task itself raises.
        """
        ...


@contextmanager
def task_workers(
    load: Load[Task, Result], size: WorkerSize, cluster: Cluster | None = None
) -> Generator[TaskWorkers[Task, Result]]:
    """Workers on ``cluster``; None: on this machine, in this process where one is enough."""
    if cluster is None and size.num_workers == 1:
        yield _InProcess(load, size.num_threads)
        return
    with connected(cluster or Cluster(num_cpus=max(size.num_workers, os.cpu_count() or 1))) as ray:
        workers = _OnRay(ray, load, size)
        try:
            yield workers
        finally:
            workers.close()


class _InProcess(Generic[Task, Result]):
    def __init__(self, load: Load[Task, Result], num_threads: int) -> None:
        self._load, self._num_threads = load, num_threads

    def results(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Result]]:
        """See :class:`TaskWorkers`."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self._num_threads)
        try:
            work: Callable[[Task], Result] | None = None
            for index, task in enumerate(tasks):
                work = work or self._load()
                yield index, work(task)
        finally:
            torch.set_num_threads(before)


@dataclass(slots=True)
class _OnRay(Generic[Task, Result]):
    """Actors that share the tasks; Ray starts one anew when it dies, and gives it its task again."""

    ray: ModuleType
    load: Load[Task, Result]
    size: WorkerSize
    _actors: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        actor = self.ray.remote(
            num_gpus=self.size.num_gpus,
            num_cpus=self.size.num_threads,
            max_restarts=-1,
            max_task_retries=self.size.retries,
        )(_Worker)
        self._actors = [actor.remote(self.load, self.size.num_threads) for _ in range(self.size.num_workers)]

    def results(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Result]]:
        """See :class:`TaskWorkers`."""
        running: dict[Any, tuple[int, int]] = {}  # Ray's reference to (place, worker)
        load = [0] * len(self._actors)
        for index, task in enumerate(tasks):
            worker = load.index(min(load))
            running[self._actors[worker].work.remote(task)] = index, worker
            load[worker] += 1
            if len(running) == _TASKS_PER_WORKER * len(self._actors):
                yield self._finished(running, load)
        while running:
            yield self._finished(running, load)

    def close(self) -> None:
        """End the workers."""
        for actor in self._actors:
            self.ray.kill(actor)

    def _finished(self, running: dict[Any, tuple[int, int]], load: list[int]) -> tuple[int, Result]:
        done, _ = self.ray.wait(list(running), num_returns=1)
        index, worker = running.pop(done[0])
        load[worker] -= 1
        try:
            return index, self.ray.get(done[0])
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self.ray.exceptions.RayActorError as error:
            raise RuntimeError(f"task {index} outlived {self.size.retries + 1} workers: {error}") from error


class _Worker(Generic[Task, Result]):
    """A process of its own; it loads with its first task, so that errors of loading reach who asked."""

    def __init__(self, load: Load[Task, Result], num_threads: int) -> None:
        import torch

        torch.set_num_threads(num_threads)
        self._load = load
        self._work: Callable[[Task], Result] | None = None

    def work(self, task: Task) -> Result:
        """The result of one task."""
        self._work = self._work or self._load()
        return self._work(task)
