"""The synthetic world's manifests for training, made by the real builders' stages where they are not there yet.

What ``python -m pipelines.build_*`` does for one task, with the same engine, for all tasks that a recipe asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from operator import call
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.control.policy import ConditionMix, ControlPolicy
from cologen.datagen.engine.build import Job, build
from cologen.datagen.engine.cluster import Cluster, connected
from cologen.datagen.heartbeat import heartbeat
from cologen.datagen.manifest import MANIFEST_NAME, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.control import ControlRecipe, ControlStage
from cologen.datagen.passes.distinct import DistinctStage
from cologen.datagen.passes.grounding import GroundingRecipe, GroundingStage
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskStage
from cologen.datagen.passes.pairs import PairRecipe, PairTask
from cologen.datagen.passes.reading import ConditionReader, PairReader, SourceReader
from cologen.datagen.world.formats import ensure
from cologen.trainer.data.workers import in_order

PART_SIZE = 128

Phases = Sequence[Sequence[Job]]
"""Jobs that run part by part together; each phase after the one before it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSize:
    """How many scenes, and their side in pixels."""

    num_scenes: int = 2048
    side: int = 64
    seed: int = 0


Told = Callable[[str], None]


def ensure_manifests(data: Path, names: Iterable[str], size: WorldSize, told: Told, workers: int = 1) -> None:
    """Have each of these manifests under ``data``; those that are whole are left as they are.

    Raises:
        ValueError: a name that the world has no manifest for, or a folder that holds another recipe's.
    """
    missing = [name for name in names if not is_whole(data / name)]
    if unknown := [name for name in missing if name not in MAKERS]:
        raise ValueError(
            f"{data} has no manifest {unknown[0]}, and the world makes none of that name: build it, or give --data"
        )
    if not missing:
        return
    last = ""

    def tell(words: str) -> None:
        nonlocal last
        last = words
        told(words)

    with heartbeat(lambda: f"still at work: {last}", told):
        _make(data, missing, size, tell, workers)


def _make(data: Path, names: Sequence[str], size: WorldSize, told: Told, workers: int) -> None:
    """Draw the world in the layouts that these manifests take, and build them."""
    roots = _drawn(data, dict.fromkeys(MAKERS[name][0] for name in names), size, told, workers)
    told("starting Ray")
    with connected(Cluster()):
        for name in names:
            layout, jobs_of = MAKERS[name]
            told(f"building {name}")
            for jobs in jobs_of(roots[layout], Folder.open(data / name)):
                build(jobs, Cluster())


def is_whole(folder: Path) -> bool:
    """Whether a manifest is there and complete; all others are built.

    Raises:
        ValueError: what is there is no manifest.
    """
    path = folder / MANIFEST_NAME
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a file")
    return path.is_file() and load_manifest(Folder.open(folder)).complete


def _drawn(data: Path, layouts: Iterable[str], size: WorldSize, told: Told, workers: int) -> dict[str, Path]:
    """The world's folders by layout, each drawn by a process of its own where it is not there yet."""
    name = f"{size.num_scenes}x{size.side}-seed{size.seed}"
    roots = {layout: (data / "world" / f"{layout}-{name}").resolve() for layout in layouts}
    form = {"num_scenes": size.num_scenes, "width": size.side, "height": size.side, "seed": size.seed}
    told(f"drawing {size.num_scenes:,} scenes of the synthetic world in {len(roots)} layouts")
    tasks = [partial(ensure, layout, root, **form) for layout, root in roots.items()]
    # Not by ``ensure``'s own processes: they would import the whole command anew for each layout.
    with closing(in_order(call, tasks, min(workers, len(tasks)))) as results:
        for layout, _ in zip(roots, results, strict=True):
            told(f"drawn in the layout of {layout}")
    return roots


def _inpaint(root: Path, out: Folder) -> Phases:
    reader = SourceReader.of("cocostuff", root, "train", PART_SIZE, None)
    return [[Job(stage=MaskStage(folder=out, recipe=InpaintRecipe(source=reader.recipe), reader=reader))]]


def _grounding(root: Path, out: Folder) -> Phases:
    reader = SourceReader.of("refcoco", root, "train", PART_SIZE, None)
    return [[Job(stage=GroundingStage(folder=out, recipe=GroundingRecipe(source=reader.recipe), reader=reader))]]


def _control(source: str) -> Callable[[Path, Folder], Phases]:
    def phases(root: Path, out: Folder) -> Phases:
        reader = ConditionReader.of(source, root, "train", PART_SIZE, None)
        # HED and lineart need weights, which the world has to do without.
        mix = ConditionMix.equal(("canny", *reader.open().kinds))
        recipe = ControlRecipe(source=reader.recipe, policy=ControlPolicy(mix=mix))
        return [[Job(stage=ControlStage(folder=out, recipe=recipe, reader=reader))]]

    return phases


def _pairs(task: PairTask, source: str) -> Callable[[Path, Folder], Phases]:
    def phases(root: Path, out: Folder) -> Phases:
        reader = PairReader.of(source, root, "train", PART_SIZE, None)
        distinct = DistinctStage.over(reader, PairRecipe(task=task, source=reader.recipe), out)
        return [[Job(stage=distinct.candidates)], [Job(stage=distinct)]]

    return phases


MAKERS: Mapping[str, tuple[str, Callable[[Path, Folder], Phases]]] = MappingProxyType(
    {
        "inpaint-cocostuff": ("cocostuff", _inpaint),
        "grounding-refcoco": ("refcoco", _grounding),
        "control-cocostuff": ("captioned_cocostuff", _control("cocostuff")),
        "control-multigen_depth": ("multigen_depth", _control("multigen_depth")),
        "customized-subjects200k": ("subjects200k", _pairs("customized", "subjects200k")),
        "editing-triplets": ("triplets", _pairs("editing", "triplets")),
    }
)
"""The layout that each manifest is made of, and its jobs, by the manifest's name."""
