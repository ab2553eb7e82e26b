import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from cologen.evaluation.judges.judging import judge_cases
from cologen.evaluation.records import Case, ScoreError
from tests.evaluation.judges.cases import case


def number(asked: Case) -> int:
    return int(asked.item.item_id.removeprefix("item-"))


class Scripted:
    """A judge of its own: ``score`` may wait or raise."""

    identity = "scripted"

    def __init__(self, score: Callable[[int], float]) -> None:
        self._score, self._lock = score, threading.Lock()
        self.now = self.most = 0

    def judge(self, case: Case) -> np.ndarray:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return np.array([self._score(number(case))])
        finally:
            with self._lock:
                self.now -= 1


def slower_first(value: int) -> float:
    time.sleep(0.02 if value % 3 == 0 else 0.001)
    if value == 5:
        raise ScoreError("refused", "no")
    return float(value)


@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_results_are_in_the_order_of_the_cases_at_any_concurrency(concurrency: int) -> None:
    judge = Scripted(slower_first)
    found = list(judge_cases(judge, map(case, range(12)), concurrency=concurrency))
    assert [each.tolist() if isinstance(each, np.ndarray) else each.reason for each in found] == [
        "refused" if value == 5 else [float(value)] for value in range(12)
    ]
    assert 1 <= judge.most <= concurrency


def test_as_many_cases_as_allowed_are_with_the_judge_at_a_time() -> None:
    together = threading.Barrier(4, timeout=5)
    judge = Scripted(lambda value: float(together.wait() >= 0))
    assert len(list(judge_cases(judge, map(case, range(8)), concurrency=4))) == 8


def test_cases_of_a_generator_are_not_all_held_at_once() -> None:
    drawn: list[int] = []

    def cases() -> Iterator[Case]:
        for value in range(100):
            drawn.append(value)
            yield case(value)

    results = judge_cases(Scripted(float), cases(), concurrency=2)
    next(results)
    assert len(drawn) == 4
    results.close()  # type: ignore[attr-defined]


def test_another_error_ends_the_whole() -> None:
    def score(value: int) -> float:
        if value == 2:
            raise ValueError("the key was withdrawn")
        return float(value)

    results = judge_cases(Scripted(score), map(case, range(100)), concurrency=2)
    with pytest.raises(ValueError, match="the key was withdrawn"):
        list(results)


def test_nobody_judges_at_a_concurrency_of_zero() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        list(judge_cases(Scripted(float), [], concurrency=0))
