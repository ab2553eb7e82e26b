"""Conditions drawn online are maps of the batch's own pictures, the same from this process and from a pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cologen.datagen.control.annotators import annotator
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.data.loading import Loading, StageSamples, open_stage
from cologen.trainer.data.manifests import open_manifest
from cologen.trainer.data.online import OnlineControl, kinds_wanted
from cologen.trainer.distributed import Processes
from cologen.trainer.recipes.curriculum import Resolution
from cologen.trainer.recipes.world import world
from tests.processes import ray_processes

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ALONE = Processes(0, 1, torch.device("cpu"))
STEPS = 4


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    torch.save(annotator("hed").ControlNetHED_Apache2().state_dict(), folder / "ControlNetHED.pth")
    torch.save(annotator("lineart").Generator(3, 1, 3).state_dict(), folder / "sk_model.pth")
    return folder


def opened(data: Path, online: OnlineControl, manifest: str = "control-online") -> StageSamples:
    stage = (
        world()
        .stages[2]
        .replace(manifests={manifest: "by size"}, iterations=STEPS, global_batch=4, warmup_steps=0, new_expert=True)
    )
    resolution = Resolution(side=32, multiple=4, max_aspect=1.0)
    recipe = world().replace(stages=(stage,), resolution=resolution, micro_batch=2)
    return open_stage(recipe, 0, data, loading=Loading(online=online))


def equal(steps: list[LoadedStep], others: list[LoadedStep]) -> bool:
    pairs = [
        (batch, other)
        for step, another in zip(steps, others, strict=True)
        for batch, other in zip(step.micro_batches, another.micro_batches, strict=True)
    ]
    return all(
        batch.source is not None
        and other.source is not None
        and torch.equal(batch.source, other.source)
        and torch.equal(batch.target, other.target)
        and batch.places == other.places
        for batch, other in pairs
    )


def killing_one(steps: Iterator[LoadedStep]) -> Iterator[LoadedStep]:
    """The steps, a control actor being killed after the first."""
    yield next(steps)
    ray_processes("_ControlActor")[0].kill()
    yield from steps


@pytest.mark.slow
def test_sources_are_the_extractors_maps_of_the_targets(data: Path, weights: Path):
    online = OnlineControl(hed=weights, lineart=weights)
    samples = opened(data, online)
    extractors = {kind: online.load(kind, "cpu")() for kind in ("hed", "lineart")}
    rows = open_manifest(data / "control-online", "control")
    seen = set[str]()
    for step in samples.steps(0, ALONE):
        drawn = samples.schedule.work(step.step).assignments
        for batch in step.micro_batches:
            assert batch.source is not None
            for number, place in enumerate(batch.places):
                row = rows.row(drawn[place % 4].candidates[0])
                target, source = batch.target[number : number + 1], batch.source[number : number + 1]
                seen.add(row["condition"])
                if row["online"]:
                    maps = extractors[row["condition"]](target.contiguous() / 255)
                    assert (source - 255 * maps).abs().max() < 0.51  # nearest of 256 levels
                assert not torch.equal(source, target)
    assert seen == {"canny", "hed", "lineart"}


def test_what_manifests_ask_for_is_known_before(data: Path):
    assert kinds_wanted(open_manifest(data / "control-online", "control")) == {"hed", "lineart"}
    assert kinds_wanted(open_manifest(data / "control-cocostuff", "control")) == frozenset()
    assert kinds_wanted(open_manifest(data / "inpaint-cocostuff", "inpaint")) == frozenset()


def test_weights_are_needed_only_where_something_is_drawn(data: Path, tmp_path: Path):
    nowhere = OnlineControl(hed=tmp_path / "hed.pth", lineart=tmp_path / "lineart.pth")
    assert len(list(opened(data, nowhere, "control-cocostuff").steps(0, ALONE))) == STEPS
    with pytest.raises(FileNotFoundError, match=r"hed\.pth"):
        next(opened(data, nowhere).steps(0, ALONE))


@pytest.mark.slow
def test_a_pool_gives_the_same_batches_also_when_an_actor_is_killed(data: Path, weights: Path):
    pool = OnlineControl(hed=weights, lineart=weights, num_actors=1)
    here, there = (opened(data, online) for online in (replace(pool, num_actors=0), pool))
    assert equal(list(killing_one(there.steps(0, ALONE))), list(here.steps(0, ALONE)))
