"""Manifests of the synthetic dataset for training, built where they are missing, as ``pipelines.build_*`` would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from operator import call
from pathlib import Path

from cologen.datagen.engine.build import build
from cologen.datagen.engine.cluster import Cluster, connected, require_ray
from cologen.datagen.grounding.policy import BOLD
from cologen.datagen.heartbeat import heartbeat
from cologen.datagen.manifest import MANIFEST_NAME, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.task_jobs import default_jobs
from cologen.datagen.world.formats import WORLD_VERSION, World, ensure, version_of, world_format
from cologen.model.tasks import TaskName
from cologen.trainer.data.workers import in_order
from cologen.trainer.recipes.world import VALIDATION, WORLD_HELD_OUT, WORLD_MANIFESTS

PART_SIZE = 128

TASKS: Mapping[str, TaskName] = {name: task for task, names in WORLD_MANIFESTS.items() for name in names}
"""The task of each manifest that is made of the synthetic dataset; the rest of its name is the dataset."""

HELD_OUT_TASKS: Mapping[str, TaskName] = {name: task for task, names in WORLD_HELD_OUT.items() for name in names}
"""The same of the manifests of its validation split, a tenth as large."""

_ALL_TASKS: Mapping[str, TaskName] = {**TASKS, **HELD_OUT_TASKS}

WORLD = World(num_scenes=2048, width=64, height=64, seed=0, level="simple")
"""The synthetic dataset of the recipes ``world-…``: what can still be seen when it is made half as large."""

Say = Callable[[str], None]


def ensure_manifests(data: Path, names: Iterable[str], world: World, say: Say, workers: int = 1) -> None:
    """Build each of these manifests that is not complete under ``data``. Those of an older version of the synthetic
    dataset stay, which is said.

    Raises:
        ValueError: a name that is no manifest of the synthetic dataset, or a folder that holds another recipe's.
    """
    names = list(names)
    missing = [name for name in names if not is_whole(data / name)]
    if unknown := [name for name in missing if not is_of_world(name)]:
        raise ValueError(
            f"{data} has no manifest {unknown[0]}, and the synthetic dataset gives none of that name: "
            "build it, or give --data"
        )
    if older := [name for name in names if name not in missing and _is_older(data, name, world)]:
        say(
            f"{', '.join(older)} in {data}: built from an older version of the synthetic dataset, whose words differ. "
            f"Remove them and {data / 'world'} to build them anew"
        )
    if not missing:
        return
    last = ""

    def tell(words: str) -> None:
        nonlocal last
        last = words
        say(words)

    with heartbeat(lambda: f"still at work: {last}", say):
        _make(data, missing, world, tell, workers)


def _make(data: Path, names: Sequence[str], world: World, say: Say, workers: int) -> None:
    """Generate the synthetic dataset in the formats that these manifests need, and build them."""
    require_ray()  # before the minute that generating takes
    formats = {name: _format_of(name) for name in names}
    roots = _generated(data, dict.fromkeys(formats.values()), world, say, workers)
    say("starting Ray")
    with connected(Cluster()):
        for name in names:
            say(f"building {name}")
            folder, split = Folder.open(data / name), "val" if name in HELD_OUT_TASKS else "train"
            root = roots[formats[name]]
            for jobs in default_jobs(_ALL_TASKS[name], _dataset_of(name), root, folder, PART_SIZE, split, BOLD):
                build(jobs, Cluster())


def _dataset_of(name: str) -> str:
    return name.removeprefix(f"{_ALL_TASKS[name]}-").removesuffix(VALIDATION)


def _format_of(name: str) -> str:
    return world_format(_dataset_of(name), conditions=_ALL_TASKS[name] == "control")


def _root(data: Path, format_: str, world: World) -> Path:
    return (data / "world" / f"{format_}-{world.name}").resolve()


def _is_older(data: Path, name: str, world: World) -> bool:
    return is_of_world(name) and version_of(_root(data, _format_of(name), world)) not in (None, WORLD_VERSION)


def is_of_world(name: str) -> bool:
    """Whether the synthetic dataset gives a manifest of this name."""
    return name in _ALL_TASKS


def is_whole(folder: Path) -> bool:
    """Whether a manifest is there and complete; all others are built.

    Raises:
        ValueError: what is there is no manifest.
    """
    path = folder / MANIFEST_NAME
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a file")
    return path.is_file() and load_manifest(Folder.open(folder)).complete


def _generated(data: Path, formats: Iterable[str], world: World, say: Say, workers: int) -> dict[str, Path]:
    """The synthetic dataset's folders by format, each generated by its own process if it is not there yet."""
    roots = {format_: _root(data, format_, world) for format_ in formats}
    say(f"generating the synthetic dataset: {world.num_scenes:,} scenes in {len(roots)} formats")
    tasks = [partial(ensure, format_, root, world) for format_, root in roots.items()]
    # Not by ``ensure``'s own processes: they would import the whole command anew for each format.
    with closing(in_order(call, tasks, min(workers, len(tasks)))) as results:
        for format_, _ in zip(roots, results, strict=True):
            say(f"generated in the format of {format_}")
    return roots
