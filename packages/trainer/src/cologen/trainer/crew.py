"""Worker processes that do a list of tasks: results in the order of the tasks, a few made ahead, deaths survived.

Processes are neither forked from this one, whose threads, GPU and Ray they could not take along, nor do they outlive
it, however it ends. A pipe carries the results, so that shared memory cannot run out.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, Generic, TypeVar

import cv2

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

MOST_DEATHS = 3
"""Workers that may die over one task before it is given up."""


def in_order(
    work: Callable[[_Task], _Result], tasks: Iterable[_Task], num_workers: int, ahead: int = 2
) -> Generator[_Result, None, None]:
    """The results of all tasks: made by ``num_workers`` processes, at most ``ahead`` per process in advance.

    Without workers each is made in this process when it is asked for. ``work`` and the tasks are pickled. What
    ``work`` raises is raised here.

    Raises:
        ValueError: workers die over and over.
    """
    if not num_workers:
        yield from map(work, tasks)
        return
    crew = _Crew(work, num_workers)
    try:
        for task in tasks:
            if len(crew.waiting) > num_workers * ahead:
                yield crew.take()
            crew.give(task)
        while crew.waiting:
            yield crew.take()
    finally:
        crew.leave()


class _Crew(Generic[_Task, _Result]):
    """The processes, and the tasks that they have not handed in yet."""

    def __init__(self, work: Callable[[_Task], _Result], size: int) -> None:
        self._work, self._size = work, size
        self._pool = self._hired()
        self.waiting = deque[tuple[_Task, Future[_Result]]]()

    def give(self, task: _Task) -> None:
        self.waiting.append((task, self._submitted(task)))

    def take(self) -> _Result:
        """The result of the oldest task; when a worker has died, all tasks begin anew with another crew."""
        for _ in range(MOST_DEATHS):
            try:
                result = self.waiting[0][1].result()
            except BrokenProcessPool:
                self.leave()
                self._pool = self._hired()
                self.waiting = deque((task, self._submitted(task)) for task, _ in self.waiting)
            else:
                self.waiting.popleft()
                return result
        raise ValueError(
            f"loading processes were killed {MOST_DEATHS} times in a row: most often memory has run out. "
            "Use fewer loading workers or a smaller micro_batch, and --resume."
        )

    def leave(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submitted(self, task: _Task) -> Future[_Result]:
        try:
            return self._pool.submit(_run, task)
        except BrokenProcessPool as error:
            failed = Future[_Result]()
            failed.set_exception(error)
            return failed

    def _hired(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        return ProcessPoolExecutor(self._size, mp_context=context, initializer=_begin, initargs=(self._work,))


_work: Callable[[Any], Any]
"""What a worker process does, given once at its start so that the files it opens stay open."""


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    # Ctrl-C reaches all processes of a terminal; this one's parent wants its results for the step that it finishes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _run(task: Any) -> Any:
    return _work(task)
