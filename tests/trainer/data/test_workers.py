"""Any number of workers gives the same results in the same order, also when one dies; none outlives its parent."""

import operator
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from cologen.trainer.data.workers import in_order

SHOUT = operator.methodcaller("upper")
WORDS = [f"word-{number}" for number in range(12)]


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_results_come_in_the_order_of_the_tasks(num_workers: int):
    assert list(in_order(SHOUT, WORDS, num_workers)) == [word.upper() for word in WORDS]


def test_arrays_come_whole_however_large_they_are():
    sizes = [3, 100_000, 1, 0, 2_000_000, 5, 70_000]
    for number, found in enumerate(in_order(np.arange, sizes, 1)):
        assert np.array_equal(found, np.arange(sizes[number]))
        found += 1


def test_results_that_are_kept_stay_as_they_were():
    found = list(in_order(np.arange, range(40), 2))
    assert all(np.array_equal(each, np.arange(number)) for number, each in enumerate(found))


def test_no_more_is_taken_than_was_asked_for():
    taken = list[str]()
    results = in_order(SHOUT, (taken.append(word) or word for word in WORDS), 1, ahead=3)
    assert next(results) == "WORD-0"
    assert len(taken) == 4
    results.close()


def test_errors_of_the_work_reach_who_asked():
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_order(int, ["1", "x"], 1))


def test_a_killed_worker_changes_nothing():
    others = psutil.Process().children()
    results = in_order(os.path.basename, ["a/b", *WORDS], 2)
    found = [next(results), next(results)]
    victim = next(one for one in psutil.Process().children() if one not in others)
    victim.kill()
    found.extend(results)
    assert not victim.is_running()
    assert found == ["b", *WORDS]


def test_work_that_kills_every_worker_is_given_up_with_advice():
    with pytest.raises(ValueError, match="killed 3 times in a row"):
        list(in_order(operator.call, [dict, partial(os._exit, 1)], 1))


def test_workers_end_with_their_parent_however_it_ends(tmp_path: Path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from cologen.trainer.data.workers import in_order\n"
        "if __name__ == '__main__':\n"
        "    results = in_order(time.sleep, [0.01] * 1000, 1)\n"
        "    next(results)\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive


def test_workers_need_neither_torch_nor_ray():
    code = (
        "import sys, cologen.trainer.data.fetching; print([name for name in ('torch', 'ray') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
