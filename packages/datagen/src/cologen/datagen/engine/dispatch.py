"""Dispatches the parts of a build to Ray's workers: each part through all passes in order, and again where one failed.

The driver knows when and where each part was started. It ends slow work only if a limit is set, so a build takes as
long as its slowest part. A part that still fails after the policy's tries is returned as failed.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, no_type_check

from cologen.datagen.engine.cluster import FailurePolicy, first_line

Row = dict[str, Any]
"""What is sent to workers and back: ``id``, the part's number; ``failure``, empty or why it failed; and what passes
add."""

Work = Callable[[Row], Row]
"""One pass's work on a part, picklable; it raises only errors that a retry in the same process cannot fix."""

_TICK = 1.0  # seconds between two looks at what is at work


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """A pass's work, and where it runs: tasks of one CPU, or ``num_actors`` processes with ``num_gpus`` each."""

    work: Work
    num_actors: int | None = None
    num_gpus: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A part that a worker has begun; ``pass_`` counts from 0."""

    part: int
    pass_: int
    seconds: float
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Progress between finished parts: the parts at work, the longest first, and how many wait for a free worker."""

    at_work: tuple[AtWork, ...]
    num_waiting: int


@dataclass(slots=True)
class _Task:
    """A part on its way through one pass, counted from 0."""

    row: Row
    pass_: int
    number: int = 1
    not_before: float = 0.0
    actor: _Actor | None = None
    result: Any = None
    began: float | None = None
    where: str = ""
    timed_out: bool = False


@dataclass(slots=True, eq=False)
class _Actor:
    handle: Any
    busy: bool = False


def dispatched(
    ray: ModuleType, passes: Sequence[Workers], num_parts: int, policy: FailurePolicy
) -> Iterator[Row | Status]:
    """The row of each part as it comes out of the last pass, or with its failure, in any order; a status each second.

    Raises:
        RayError: the cluster is lost.
    """
    crew = _Crew(ray, passes, policy)
    crew.waiting[0].extend(_Task({"id": index}, 0) for index in range(num_parts))
    try:
        yield from crew.run()
    finally:
        crew.close()


@dataclass(slots=True)
class _Crew:
    ray: ModuleType
    passes: Sequence[Workers]
    policy: FailurePolicy
    waiting: list[deque[_Task]] = field(init=False)
    """The parts that wait for each pass."""
    _pausing: list[_Task] = field(init=False, default_factory=list)
    _running: dict[Any, _Task] = field(init=False, default_factory=dict)
    _actors: dict[int, list[_Actor]] = field(init=False, default_factory=dict)
    _remote: Any = field(init=False)

    def __post_init__(self) -> None:
        # No retries by Ray: it would not pause, and would retry a part that kills its worker for ever.
        options = {"num_cpus": 1, "max_retries": 0, "num_returns": "streaming", "scheduling_strategy": "SPREAD"}
        self._remote = self.ray.remote(**options)(_run_pass)
        self.waiting = [deque() for _ in self.passes]

    def run(self) -> Iterator[Row | Status]:
        for number, workers in enumerate(self.passes):
            if workers.num_actors is not None:
                self._actors[number] = [self._new_actor(number) for _ in range(workers.num_actors)]
        next_status = time.monotonic()
        while self._running or self._pausing or any(self.waiting):
            self._give()
            for result in self._ready():
                if (row := self._advanced(result)) is not None:
                    yield row
            self._end_overdue()
            if time.monotonic() >= next_status:
                next_status = time.monotonic() + _TICK
                yield self._status()

    def close(self) -> None:
        """End what is still at work."""
        for task in self._running.values():
            if task.actor is None:
                self.ray.cancel(task.result, force=True)
        for actors in self._actors.values():
            for actor in actors:
                self.ray.kill(actor.handle)

    def _new_actor(self, pass_: int) -> _Actor:
        kind = self.ray.remote(num_cpus=1, num_gpus=self.passes[pass_].num_gpus, max_restarts=0)(_PassActor)
        return _Actor(kind.remote(self.passes[pass_].work))

    def _give(self) -> None:
        """Give parts to free workers, those of the last passes first."""
        now = time.monotonic()
        for task in [one for one in self._pausing if one.not_before <= now]:
            self._pausing.remove(task)
            self.waiting[task.pass_].appendleft(task)
        for pass_ in reversed(range(len(self.passes))):
            waiting, actors = self.waiting[pass_], self._actors.get(pass_)
            if actors is None:
                free = self._free_cpus() if waiting else 0
                for _ in range(min(free, len(waiting))):
                    task = waiting.popleft()
                    self._begin(task, self._remote.remote(self.passes[pass_].work, task.row))
                continue
            for actor in [one for one in actors if not one.busy][: len(waiting)]:
                task = waiting.popleft()
                task.actor, actor.busy = actor, True
                self._begin(task, actor.handle.run.options(num_returns="streaming").remote(task.row))

    def _begin(self, task: _Task, result: Any) -> None:
        task.result, task.began, task.where, task.timed_out = result, None, "", False
        self._running[result] = task

    def _free_cpus(self) -> int:
        """How many tasks more to submit: as many as there are CPUs, and as many again for a cluster that grows."""
        cpus = int(self.ray.cluster_resources().get("CPU", 1))
        return 2 * max(1, cpus) - sum(task.actor is None for task in self._running.values())

    def _ready(self) -> list[Any]:
        """The results that are ready; waits for them while there is nothing else to do."""
        if not self._running:
            due = min((task.not_before for task in self._pausing), default=0.0)
            time.sleep(min(_TICK, max(0.0, due - time.monotonic())))
            return []
        return self.ray.wait(list(self._running), num_returns=1, timeout=_TICK)[0]

    def _advanced(self, result: Any) -> Row | None:
        """Take a task's next message: that it has begun, or its row. Returns the row of a part that has passed all
        passes."""
        task = self._running[result]
        try:
            said = self.ray.get(next(result))
        except self.ray.exceptions.RayError as error:
            return self._again(task, self._why(task, error))
        if task.began is None:
            task.began, task.where = time.monotonic(), said
            return None
        self._release(task)
        row = task.row | said
        if row["failure"] or task.pass_ + 1 == len(self.passes):
            return row
        self.waiting[task.pass_ + 1].append(_Task(row, task.pass_ + 1))
        return None

    def _release(self, task: _Task) -> None:
        del self._running[task.result]
        if task.actor is not None:
            task.actor.busy = False
            task.actor = None

    def _again(self, task: _Task, why: str) -> Row | None:
        """Try a part again after a pause, its actor replaced; after the last try, its row with the failure."""
        actor = task.actor
        self._release(task)
        if actor is not None:
            self.ray.kill(actor.handle)
            actors = self._actors[task.pass_]
            actors[actors.index(actor)] = self._new_actor(task.pass_)
        if task.number >= self.policy.tries:
            return task.row | {"failure": f"{why} ({task.number} tries)"}
        task.number += 1
        task.not_before = time.monotonic() + self.policy.pause_before(task.number)
        self._pausing.append(task)
        return None

    def _why(self, task: _Task, error: Exception) -> str:
        if task.timed_out:
            return f"it took more than {self.policy.part_timeout:g} s, the limit for a part"
        return first_line(error)

    def _end_overdue(self) -> None:
        limit = self.policy.part_timeout
        if limit is None:
            return
        for task in list(self._running.values()):
            if task.began is not None and time.monotonic() - task.began > limit and not task.timed_out:
                task.timed_out = True
                if task.actor is None:
                    self.ray.cancel(task.result, force=True)
                else:
                    self.ray.kill(task.actor.handle)

    def _status(self) -> Status:
        now = time.monotonic()
        at_work = [
            AtWork(part=task.row["id"], pass_=task.pass_, seconds=now - task.began, where=task.where)
            for task in self._running.values()
            if task.began is not None
        ]
        at_work.sort(key=lambda one: -one.seconds)
        unbegun = len(self._running) - len(at_work)
        return Status(at_work=tuple(at_work), num_waiting=sum(map(len, self.waiting)) + len(self._pausing) + unbegun)


class _PassActor:
    """A process of its own for a pass; what the pass loads with its first part stays loaded."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @no_type_check  # a wrapper that checks types is no generator function, which Ray asks for
    def run(self, row: Row) -> Generator[Any]:
        """As ``_run_pass``."""
        yield from _run_pass(self._work, row)


@no_type_check
def _run_pass(work: Work, row: Row) -> Generator[Any]:
    """Say where the part has begun, then its row."""
    yield f"{socket.gethostname()} process {os.getpid()}"
    yield work(row)
