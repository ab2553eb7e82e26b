"""Tasks by workers: the same results here and on Ray, though workers die; tasks are taken a few ahead; plain errors."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch

from cologen.datagen.engine.actors import WorkerSize, task_workers
from tests.processes import ray_processes

on_ray = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def _load(factor: int) -> Callable[[int], tuple[int, int]]:
    def work(task: int) -> tuple[int, int]:
        if task == 13:
            raise ValueError("13 is refused")
        return factor * task, torch.get_num_threads()

    return work


def _collected(size: WorkerSize, tasks: list[int]) -> dict[int, tuple[int, int]]:
    with task_workers(partial(_load, 7), size) as workers:
        return dict(workers.results(tasks))


def test_one_worker_is_this_process_with_its_threads_and_loads_once() -> None:
    loads: list[int] = []
    before = torch.get_num_threads()

    def load() -> Callable[[int], tuple[int, int]]:
        loads.append(os.getpid())
        return lambda task: (task, torch.get_num_threads())

    with task_workers(load, WorkerSize(num_threads=1)) as workers:
        assert list(workers.results([5, 6])) == [(0, (5, 1)), (1, (6, 1))]
        assert list(workers.results([])) == []
    assert loads == [os.getpid()]
    assert torch.get_num_threads() == before


def test_an_error_of_a_task_reaches_who_asked() -> None:
    with pytest.raises(ValueError, match="13 is refused"):
        _collected(WorkerSize(), [1, 13])


def test_sizes_that_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="num_workers"):
        WorkerSize(num_workers=0)


class TestOnRay:
    pytestmark = on_ray

    def test_two_workers_give_what_one_gives_and_errors_stay_plain(self) -> None:
        tasks = list(range(12))
        assert _collected(WorkerSize(num_workers=2), tasks) == _collected(WorkerSize(), tasks)
        with pytest.raises(ValueError, match="13 is refused"):
            _collected(WorkerSize(num_workers=2), [1, 13])

    def test_killed_workers_lose_nothing_and_tasks_are_taken_a_few_ahead(self) -> None:
        taken: list[int] = []

        def tasks() -> Iterator[int]:
            for number in range(20, 40):
                taken.append(number)
                yield number

        done: dict[int, tuple[int, int]] = {}
        with task_workers(partial(_load, 2), WorkerSize(num_workers=2)) as workers:
            for index, result in workers.results(tasks()):
                done[index] = result
                assert len(taken) <= len(done) + 4
                if len(done) == 5:
                    for process in ray_processes("_Worker"):
                        os.kill(process.pid, signal.SIGKILL)
        assert done == {place: (2 * (20 + place), 1) for place in range(20)}
