"""The pool and the process: the same maps in the same order, though actors die; bounded, counted, its errors plain."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from cologen.datagen.control.annotators import annotator
from cologen.datagen.control.hed import load_hed
from cologen.datagen.control.maps import Extractor
from cologen.datagen.engine.cluster import Cluster, connected
from cologen.datagen.engine.pool import Batch, InProcess, PoolSize, ray_pool
from tests.processes import ray_processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

BATCHES, IMAGES = 12, 2
HERE = Cluster(num_cpus=2)


@pytest.fixture(scope="module", autouse=True)
def one_cluster() -> Iterator[None]:
    with connected(HERE):
        yield


@pytest.fixture(scope="module")
def hed(tmp_path_factory: pytest.TempPathFactory) -> partial[Extractor]:
    path = tmp_path_factory.mktemp("weights") / "ControlNetHED.pth"
    torch.manual_seed(0)
    torch.save(annotator("hed").ControlNetHED_Apache2().state_dict(), path)
    return partial(load_hed, path, device="cpu")


def _batch(number: int) -> Batch:
    """Indices with gaps, as a rank sees them."""
    return 3 * number, torch.rand(IMAGES, 3, 64, 80, generator=torch.Generator().manual_seed(number))


def _pids() -> set[int]:
    """Of this cluster's control actors."""
    return {one.pid for one in ray_processes("_ControlActor")}


def test_killed_actors_lose_and_reorder_nothing(hed: partial[Extractor]) -> None:
    expected = list(InProcess(hed()).maps(map(_batch, range(BATCHES))))
    killed = set[int]()
    with ray_pool(hed, PoolSize(num_actors=2, depth=4), HERE) as pool:
        found = list[Batch]()
        for batch in pool.maps(map(_batch, range(BATCHES))):
            found.append(batch)
            if len(found) == 2:
                victim = min(_pids() - killed)
                killed.add(victim)
                os.kill(victim, signal.SIGKILL)
        throughput = pool.throughput()
    assert len(killed) == 1
    assert [index for index, _ in found] == [index for index, _ in expected]
    assert all(torch.equal(maps, others) for (_, maps), (_, others) in zip(found, expected, strict=True))
    assert throughput.images == BATCHES * IMAGES
    assert len(throughput.per_actor) == 2
    assert min(*throughput.per_actor, throughput.images_per_second) > 0


def test_a_batch_that_ends_every_actor_is_named() -> None:
    def load() -> Extractor:
        os._exit(1)

    with (
        ray_pool(load, PoolSize(retries=0), HERE) as pool,
        pytest.raises(RuntimeError, match="batch 6 outlived 1 actors"),
    ):
        list(pool.maps([_batch(2)]))


def test_missing_weights_are_the_user_s_error(tmp_path: Path) -> None:
    load = partial(load_hed, tmp_path / "nowhere.pth", device="cpu")
    with ray_pool(load, PoolSize(), HERE) as pool, pytest.raises(FileNotFoundError) as caught:
        list(pool.maps([_batch(0)]))
    assert str(caught.value) == f"no checkpoint at {tmp_path / 'nowhere.pth'}"


def test_no_more_than_depth_batches_are_fetched_ahead() -> None:
    fetched = list[int]()

    def batches() -> Iterator[Batch]:
        for number in range(6):
            fetched.append(number)
            yield _batch(number)

    with ray_pool(_same, PoolSize(depth=2), HERE) as pool:
        for number, (index, maps) in enumerate(pool.maps(batches())):
            assert index == 3 * number
            assert torch.equal(maps, _batch(number)[1])
            assert len(fetched) <= number + 3
    _, alive = psutil.wait_procs(ray_processes("_ControlActor"), timeout=10)
    assert not alive


def test_indices_must_increase() -> None:
    with pytest.raises(ValueError, match="got 3 after 3"):
        list(InProcess(_same()).maps([_batch(1), _batch(1)]))


def test_a_pool_needs_actors() -> None:
    with pytest.raises(ValueError, match="got 0, 4 and 3"):
        PoolSize(num_actors=0)


def _same() -> Extractor:
    return torch.clone
