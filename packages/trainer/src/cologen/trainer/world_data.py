"""The synthetic world's manifests for training, made by the real builders' stages where they are not there yet.

What ``python -m pipelines.build_*`` does for one task, with the same engine, for all tasks that a recipe asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.build import Cluster, Job, build, connected
from cologen.datagen.control.policy import ConditionMix, ControlPolicy
from cologen.datagen.manifest import MANIFEST_NAME, load_manifest
from cologen.datagen.stages.control import ControlRecipe, ControlStage
from cologen.datagen.stages.distinct import DistinctStage
from cologen.datagen.stages.grounding import GroundingRecipe, GroundingStage
from cologen.datagen.stages.inpaint import InpaintRecipe, MaskStage
from cologen.datagen.stages.pairs import PairRecipe, PairTask
from cologen.datagen.stages.reading import ConditionReader, PairReader, SourceReader
from cologen.datagen.storage import Folder
from cologen.datagen.world.layouts import ensure

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
    missing = [name for name in names if not _is_whole(data / name)]
    if unknown := [name for name in missing if name not in MAKERS]:
        raise ValueError(
            f"{data} has no manifest {unknown[0]}, and the world makes none of that name: build it, or give --data"
        )
    if not missing:
        return
    roots = {name: _drawn(data, MAKERS[name][0], size, told, workers) for name in missing}
    with connected(Cluster()):
        for name in missing:
            told(f"building {name}")
            for jobs in MAKERS[name][1](roots[name], Folder.open(data / name)):
                build(jobs, Cluster())


def _is_whole(folder: Path) -> bool:
    return (folder / MANIFEST_NAME).is_file() and load_manifest(Folder.open(folder)).complete


def _drawn(data: Path, layout: str, size: WorldSize, told: Told, workers: int) -> Path:
    root = data / "world" / f"{layout}-{size.num_scenes}x{size.side}-seed{size.seed}"
    told(f"drawing the synthetic world in the layout of {layout}")
    ensure(
        layout,
        root,
        num_scenes=size.num_scenes,
        width=size.side,
        height=size.side,
        seed=size.seed,
        workers=workers,
    )
    return root.resolve()


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
