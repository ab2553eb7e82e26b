"""Outputs are the same at any batch size, after a stop, and by any number of workers; failures are retried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cologen.datagen.engine.actors import WorkerSize
from cologen.evaluation.generating.asking import output_seed
from cologen.evaluation.generating.generate import Generated, Workers, generate
from cologen.evaluation.generating.outputs import OutputFolder
from tests.datagen.engine.test_actors import on_ray
from tests.evaluation import toy


def _generate(folder: Path, workers: Workers, *, stop_after: int | None = None) -> Generated:
    done: list[int] = []

    def progress(number: int) -> None:
        done.append(number)
        if stop_after is not None and sum(done) >= stop_after:
            raise KeyboardInterrupt

    outputs = OutputFolder(folder)
    outputs.begin({"seed": 7})
    return generate(toy.benchmark(20), outputs, toy.load_generator, seed=7, workers=workers, progress=progress)


def _pixels(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*-*.png")}


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("one")
    assert _generate(folder, Workers()) == Generated(made=36, failed=4)
    return _pixels(folder)


@pytest.mark.parametrize("batch_size", [3, 8])
def test_batches_change_nothing(batch_size: int, one_by_one: dict[str, bytes], tmp_path: Path) -> None:
    _generate(tmp_path, Workers(batch_size=batch_size))
    assert _pixels(tmp_path) == one_by_one


def test_a_stopped_run_goes_on_and_only_what_is_missing_is_made(one_by_one: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _generate(tmp_path, Workers(batch_size=3), stop_after=10)
    there = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")}
    assert 0 < len(there) < 36
    found = _generate(tmp_path, Workers())
    assert (found.made, found.found) == (36 - len(there), len(there))
    assert _pixels(tmp_path) == one_by_one
    assert all((tmp_path / name).stat().st_mtime_ns == time for name, time in there.items())


class TestOnRay:
    pytestmark = on_ray

    def test_two_workers_give_the_same_pixels(self, one_by_one: dict[str, bytes], tmp_path: Path) -> None:
        _generate(tmp_path, Workers(size=WorkerSize(num_workers=2), batch_size=3))
        assert _pixels(tmp_path) == one_by_one


def test_what_cannot_be_made_says_why_and_is_tried_again(tmp_path: Path) -> None:
    _generate(tmp_path, Workers())
    assert json.loads((tmp_path / "i9-1.json").read_text()) == {"reason": "bad_input", "detail": "item 9 is refused"}
    assert json.loads((tmp_path / "i5-0.json").read_text())["detail"] == "i5: the source is damaged"
    assert _generate(tmp_path, Workers()) == Generated(found=36, failed=4)


def test_every_output_has_a_seed_of_its_own() -> None:
    seeds = {output_seed(seed, item, number) for seed in (0, 1) for item in ("a", "a-0", "b") for number in (0, 1)}
    assert len(seeds) == 12
    assert all(0 <= seed < 2**64 for seed in seeds)
