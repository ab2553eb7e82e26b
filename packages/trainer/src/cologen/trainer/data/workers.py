"""Worker processes for a list of tasks: results in order, prefetched, with dead workers replaced.

Each is a fresh interpreter that imports what the work needs and no more: it inherits no thread, GPU or Ray of this
process and not its main module, starts within a second, and ends with the connection, however this process ends.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import cv2
import numpy as np

from cologen.trainer.data import slots
from cologen.trainer.data.slots import Slot

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

MOST_DEATHS = 3
"""Workers that may die over one task before it is given up."""

_MUCH = 31 << 20
"""Bytes: after a block of this size was freed, glibc reuses smaller ones instead of mapping memory for every
picture."""


def in_order(
    work: Callable[[_Task], _Result], tasks: Iterable[_Task], num_workers: int, ahead: int = 2
) -> Generator[_Result, None, None]:
    """The results of all tasks, computed by ``num_workers`` processes, each up to ``ahead`` tasks ahead.

    Without workers each is computed in this process when it is asked for; so is the first one, while the workers start.
    ``work`` and the tasks are pickled. What ``work`` raises is raised here. The memory of a result's arrays is reused
    once they are freed; arrays that ``work`` allocates by ``slots.empty`` are never copied.

    Raises:
        ValueError: workers die over and over.
    """
    if not num_workers:
        np.empty(_MUCH, np.uint8)
        yield from map(work, tasks)
        return
    tasks = iter(tasks)
    workers = deque(_Worker[_Task, _Result](work) for _ in range(num_workers))
    try:
        first = list(islice(tasks, 1))
        for task in islice(tasks, ahead * num_workers):
            workers[0].give(task)
            workers.rotate(-1)
        yield from map(work, first)
        for task in tasks:
            if workers[0].num_waiting > ahead:
                yield workers[0].take()
            workers[0].give(task)
            workers.rotate(-1)
        for _ in range(sum(worker.num_waiting for worker in workers)):
            while not workers[0].num_waiting:
                workers.rotate(-1)
            yield workers[0].take()
            workers.rotate(-1)
    finally:
        for worker in workers:
            worker.leave()


class _Worker(Generic[_Task, _Result]):
    """A process with the tasks whose results were not fetched yet, each with a slot for its arrays."""

    def __init__(self, work: Callable[[_Task], _Result]) -> None:
        self._work = pickle.dumps(work)
        self._slots = list[Slot]()
        self._waiting = deque[tuple[_Task, Slot | None]]()
        self._start()

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    def give(self, task: _Task) -> None:
        slot = self._free_slot() if slots.AVAILABLE else None
        self._waiting.append((task, slot))
        self._send(task, slot)

    def take(self) -> _Result:
        """The result of the oldest task; if the process has died, another one starts its tasks again."""
        for _ in range(MOST_DEATHS):
            try:
                result = self._connection.recv()
            except (EOFError, OSError):
                self._stop()
                self._start()
                for task, slot in self._waiting:
                    self._send(task, slot)
                continue
            _, slot = self._waiting.popleft()
            if isinstance(result, Exception):
                raise result
            return slot.read(result) if slot else result
        raise ValueError(
            f"a loading process was killed {MOST_DEATHS} times in a row: most often memory has run out. "
            "Use fewer loading workers or a smaller micro_batch, and --resume."
        )

    def leave(self) -> None:
        self._stop()
        for slot in self._slots:
            slot.close()

    def _free_slot(self) -> Slot:
        slot = next((each for each in self._slots if each.free), None)
        if slot is None:
            self._slots.append(slot := Slot())
        slot.free = False
        return slot

    def _send(self, task: _Task, slot: Slot | None) -> None:
        with contextlib.suppress(OSError):  # the process has died; `take` notices that
            self._connection.send((task, slot and slot.path))

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        command = f"from cologen.trainer.data.workers import serve; serve({theirs.fileno()})"
        self._process = subprocess.Popen([sys.executable, "-c", command], pass_fds=[theirs.fileno()])
        theirs.close()
        with contextlib.suppress(OSError):
            self._connection.send_bytes(self._work)

    def _stop(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


def serve(file: int) -> None:
    """The main loop of a worker: reads tasks from the connection of this number and sends results, until it is
    closed."""
    # Ctrl-C reaches all processes of a terminal; this one's parent wants its results for the step that it finishes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    np.empty(_MUCH, np.uint8)
    with Connection(file) as connection, contextlib.suppress(EOFError, OSError):
        work: Callable[[Any], Any] = pickle.loads(connection.recv_bytes())
        writer = slots.Writer()
        while True:
            task, slot = connection.recv()
            connection.send(_done(work, task, slot, writer))


def _done(work: Callable[[Any], Any], task: Any, slot: str | None, writer: slots.Writer) -> Any:
    try:
        if slot is None:
            return work(task)
        with writer.writing(slot) as sheet:
            return sheet.letter(work(task))
    except Exception as error:  # noqa: BLE001  (raised where the result is asked for)
        return error
