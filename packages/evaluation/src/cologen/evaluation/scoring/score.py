"""Scores all parts that are not scored yet, by one process or many, and keeps the log of each candidate."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cologen.datagen.engine.actors import Load, WorkerSize, task_workers
from cologen.datagen.engine.cluster import Cluster
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.records import Item
from cologen.evaluation.scoring.candidates import Candidate
from cologen.evaluation.scoring.log import part_path, read_part, write_part
from cologen.evaluation.scoring.scorer import ScoredPart, digest_of, items_of, num_parts
from cologen.model.files import write_atomically

SETTINGS_NAME, NETWORKS_NAME = "scoring.json", "networks.json"


def score(
    benchmark: Benchmark,
    outputs: OutputFolder,
    folder: Path,
    load: Load[int, ScoredPart],
    *,
    candidates: Sequence[Candidate],
    settings: Mapping[str, Any],
    size: WorkerSize,
    cluster: Cluster | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write ``folder/<candidate>/part-*`` for every part; returns how many parts were scored now.

    A part that is there is kept if it was scored with the same ``settings`` (protocol, metrics, networks) and its
    outputs' files are the same still; nothing is ever generated here. ``progress`` is called with the number of items
    just done.

    Raises:
        ValueError: the networks are not those that scored the parts that are there.
    """
    file = folder / SETTINGS_NAME
    kept = json.loads(file.read_text()) == json.loads(json.dumps(settings)) if file.exists() else False
    if not kept:
        _remove_parts(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, (json.dumps(settings, indent=1, sort_keys=True) + "\n").encode())
    wanted: list[int] = []
    for part in range(num_parts(benchmark)):
        items = _items(benchmark, part)
        if _is_current(folder, part, items, outputs, candidates):
            progress(len(items))
        else:
            wanted.append(part)
    with task_workers(load, size, cluster) as workers:
        for index, scored in workers.results(iter(wanted)):
            _keep_networks(folder, scored.networks)
            for candidate, scores in scored.scores.items():
                write_part(folder / candidate, wanted[index], scores)
            progress(len(_items(benchmark, wanted[index])))
    return len(wanted)


def networks_of(folder: Path) -> dict[str, str]:
    """The identities of the networks that scored; empty where none did."""
    file = folder / NETWORKS_NAME
    return json.loads(file.read_text()) if file.exists() else {}


def _keep_networks(folder: Path, networks: Mapping[str, str]) -> None:
    held = networks_of(folder)
    if held and held != dict(networks):
        differing = sorted(name for name in {*held, *networks} if held.get(name) != networks.get(name))
        raise ValueError(
            f"{folder} was scored with another {' and '.join(differing)}: remove the folder, and score all of it again"
        )
    if not held and networks:
        write_atomically(folder / NETWORKS_NAME, (json.dumps(dict(networks), indent=1) + "\n").encode())


def _items(benchmark: Benchmark, part: int) -> Sequence[Item]:
    return [benchmark.items[place] for place in items_of(benchmark, part)]


def _is_current(
    folder: Path, part: int, items: Sequence[Item], outputs: OutputFolder, candidates: Sequence[Candidate]
) -> bool:
    if not all(part_path(folder / candidate, part).exists() for candidate in candidates):
        return False
    if "model" not in candidates:
        return True
    try:
        scores = read_part(folder / "model", part, statistics=False)
    except ValueError:
        return False  # damaged: it is scored again
    if any(problem.reason == "no_answer" for each in scores for problem in each.problems.values()):
        return False  # a judge that was down may be up again; what it answered is not asked anew
    return {(each.item_id, each.output): each.digest for each in scores} == {
        (item.item_id, number): digest_of(outputs, item, number) for item in items for number in range(item.num_outputs)
    }


def _remove_parts(folder: Path) -> None:
    """The log of other settings; the candidates' folders hold nothing else."""
    for path in (*folder.glob("*/part-*.jsonl"), *folder.glob("*/part-*.npz"), folder / NETWORKS_NAME):
        path.unlink(missing_ok=True)
