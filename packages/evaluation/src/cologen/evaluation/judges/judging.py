"""Many cases judged at a time; what comes out does not depend on which answer comes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from cologen.evaluation.network import Judge
from cologen.evaluation.records import Case, ScoreError


def judge_cases(judge: Judge, cases: Iterable[Case], *, concurrency: int) -> Iterator[np.ndarray | ScoreError]:
    """The scores of each case, in the order of the cases, or why it has none.

    Up to ``concurrency`` cases are with the judge, and as many more wait, so that cases may come from a generator. Any
    other exception ends the whole at once: what was answered so far is in the cache.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, got {concurrency}")
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="judge")
    pending: deque[Future[np.ndarray | ScoreError]] = deque()
    try:
        for case in cases:
            pending.append(pool.submit(_judged, judge, case))
            if len(pending) >= 2 * concurrency:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _judged(judge: Judge, case: Case) -> np.ndarray | ScoreError:
    try:
        return judge.judge(case)
    except ScoreError as error:
        return error
