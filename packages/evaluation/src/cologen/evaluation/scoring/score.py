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
from cologen.evaluation.scoring.log import OutputScore, part_path, read_part, write_part
from cologen.evaluation.scoring.scorer import ScoredPart, digest_of, digest_of_inputs, expected_of, items_of, num_parts
from cologen.evaluation.settings import differing, read_settings, write_settings

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

    A part that is there is kept if it was scored with the same ``settings`` (protocol, metrics, networks), and its
    outputs' files and the dataset's pictures are the same still; nothing is ever generated here. ``progress`` is called
    with the number of items just done.

    Raises:
        ValueError: the networks are not those that scored the parts that are there.
    """
    file = folder / SETTINGS_NAME
    if not file.exists() or read_settings(file) != json.loads(json.dumps(settings)):
        _remove_parts(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(file, settings)
    wanted: list[int] = []
    for part in range(num_parts(benchmark)):
        items = _items(benchmark, part)
        if _is_current(folder, part, items, outputs, candidates) and _same_inputs(benchmark, folder, part, candidates):
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
    return read_settings(file) if file.exists() else {}


def _keep_networks(folder: Path, networks: Mapping[str, str]) -> None:
    held = networks_of(folder)
    if held and (others := differing(held, networks)):
        raise ValueError(
            f"{folder} was scored with another {' and '.join(others)}: remove the folder, and score all of it again"
        )
    if not held and networks:
        write_settings(folder / NETWORKS_NAME, networks)


def _items(benchmark: Benchmark, part: int) -> Sequence[Item]:
    return [benchmark.items[place] for place in items_of(benchmark, part)]


def unscored_parts(benchmark: Benchmark, folder: Path, candidates: Sequence[Candidate]) -> list[str]:
    """The parts that a candidate's log lacks, or that hold other outputs than the benchmark asks for.

    Raises:
        ValueError: a part is damaged.
    """
    lacking: list[str] = []
    for part in range(num_parts(benchmark)):
        asked = [(item.item_id, number) for item in _items(benchmark, part) for number in range(item.num_outputs)]
        for candidate in candidates:
            path = part_path(folder / candidate, part)
            held = read_part(folder / candidate, part, statistics=False) if path.exists() else []
            if [(each.item_id, each.output) for each in held] != asked:
                lacking.append(f"{candidate}/{path.name}")
    return lacking


def changed_outputs(benchmark: Benchmark, outputs: OutputFolder, folder: Path) -> int:
    """How many of the model's outputs are other files than those that were scored.

    Raises:
        FileNotFoundError, ValueError: a part of the log is missing or damaged.
    """
    changed = 0
    for part in range(num_parts(benchmark)):
        held = {
            (each.item_id, each.output): each.digest for each in read_part(folder / "model", part, statistics=False)
        }
        there = _digests(_items(benchmark, part), outputs)
        changed += sum(held.get(key) != digest for key, digest in there.items())
    return changed


def _is_current(
    folder: Path, part: int, items: Sequence[Item], outputs: OutputFolder, candidates: Sequence[Candidate]
) -> bool:
    """Whether all candidates have whole scores of these items, and the model's are of the files that are there.

    A judge that did not answer, and a picture of the dataset that could not be read, are tried again.
    """
    there = _digests(items, outputs)
    for candidate in candidates:
        try:
            scores = read_part(folder / candidate, part)
        except (FileNotFoundError, ValueError):
            return False
        if [(each.item_id, each.output) for each in scores] != list(there):
            return False
        if candidate == "model" and [each.digest for each in scores] != list(there.values()):
            return False
        if candidate == "model" and any(map(_is_tried_again, scores)):
            return False
    return True


def _same_inputs(benchmark: Benchmark, folder: Path, part: int, candidates: Sequence[Candidate]) -> bool:
    """Whether all scores are against the pictures that the dataset has now, which are decoded for it."""
    inputs = {item.item_id: digest_of_inputs(expected_of(benchmark, item)) for item in _items(benchmark, part)}
    return all(
        each.inputs == inputs[each.item_id]
        for candidate in candidates
        for each in read_part(folder / candidate, part, statistics=False)
    )


def _is_tried_again(score: OutputScore) -> bool:
    """Whether the output is there, and a judge that was silent or a damaged picture of the dataset kept it unscored."""
    reasons = {problem.reason for problem in score.problems.values()}
    return bool(score.digest and reasons & {"no_answer", "bad_input"})


def _digests(items: Sequence[Item], outputs: OutputFolder) -> dict[tuple[str, int], str]:
    """The files of these items' outputs by item and number, in their order."""
    return {
        (item.item_id, number): digest_of(outputs, item, number) for item in items for number in range(item.num_outputs)
    }


def _remove_parts(folder: Path) -> None:
    """The log of other settings; the candidates' folders hold nothing else."""
    for path in (*folder.glob("*/part-*.jsonl"), *folder.glob("*/part-*.npz"), folder / NETWORKS_NAME):
        path.unlink(missing_ok=True)
