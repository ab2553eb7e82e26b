"""The log of scores: one line for each output, the truth from which every figure is computed.

    scores/model/part-00000.jsonl   {"item": "ball-1", "output": 0, "values": {"l1": 0.031}, "problems": {}}
    scores/model/part-00000.npz     statistics of the same outputs, for metrics over items and sets

The parts of a candidate (``model``, ``oracle``, ``identity``) hold the items in the benchmark's order. Each line ends
with a checksum of itself: a line that was changed by hand is no score.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson

from cologen.evaluation.metric import Statistic
from cologen.model.files import write_atomically

_SAID = "digest", "inputs", "resized"
"""Fields that a line has only where there is something to say."""
ALL = "*"
"""The name under which a problem of the whole output stands: none of its metrics has a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why there is no value: one of ``records.REASONS``, and what was expected and came."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputScore:
    """The values of one output by metric; None where a metric does not apply.

    ``problems`` are by metric, or under ``ALL``. ``statistics`` are those of item and set metrics, by metric.
    ``digest`` is a hash of the file that was scored, and ``inputs`` of the pictures that it was scored against: where
    either has changed, it is scored again. ``resized`` says how the two differ in size; empty where they do not.
    """

    item_id: str
    output: int
    values: Mapping[str, float | None] = field(default_factory=lambda: MappingProxyType({}))
    problems: Mapping[str, Problem] = field(default_factory=lambda: MappingProxyType({}))
    statistics: Mapping[str, Statistic] = field(default_factory=lambda: MappingProxyType({}))
    digest: str = ""
    inputs: str = ""
    resized: str = ""

    def problem(self, metric: str) -> Problem | None:
        """Why the metric has neither value nor statistic; None where it has one, or does not apply."""
        return self.problems.get(ALL) or self.problems.get(metric)


def part_path(folder: Path, part: int) -> Path:
    """The lines of a part; its statistics are beside it, with the suffix ``.npz``."""
    return folder / f"part-{part:05d}.jsonl"


def write_part(folder: Path, part: int, scores: Sequence[OutputScore]) -> None:
    """Commit a part: its statistics, then its lines, each whole or not there at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path, packed = part_path(folder, part), _packed(scores)
    write_atomically(path.with_suffix(".npz"), packed)
    digest = _digest(packed)
    write_atomically(path, b"".join(_sealed(_line(score) | {"npz": digest}) + b"\n" for score in scores))


def read_part(folder: Path, part: int, *, statistics: bool = True) -> list[OutputScore]:
    """The scores of a committed part; without ``statistics`` their arrays are not read.

    Raises:
        FileNotFoundError: the part is not committed.
        ValueError: it is damaged.
    """
    path = part_path(folder, part)
    try:
        lines = [_unsealed(line) for line in path.read_bytes().splitlines()]
        held = _statistics(path.with_suffix(".npz"), lines) if statistics else [{} for _ in lines]
        return [_score(line, each) for line, each in zip(lines, held, strict=True)]
    except (ValueError, LookupError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, FileNotFoundError) and not path.exists():
            raise
        raise ValueError(f"{path} is damaged ({error}): remove it, and score again") from error


def read_log(folder: Path, *, statistics: bool = False) -> Iterator[OutputScore]:
    """All committed scores of a candidate's folder, in order, one part in memory at a time."""
    for path in sorted(folder.glob("part-[0-9][0-9][0-9][0-9][0-9].jsonl")):
        yield from read_part(folder, int(path.stem.removeprefix("part-")), statistics=statistics)


def _statistics(path: Path, lines: Sequence[dict[str, Any]]) -> list[dict[str, dict[str, np.ndarray]]]:
    """The statistics that were written with these lines."""
    packed = path.read_bytes()
    if any(line["npz"] != _digest(packed) for line in lines):
        raise ValueError(f"{path.name} was not written with it")
    return _unpacked(packed, len(lines))


def _digest(packed: bytes) -> str:
    return hashlib.blake2b(packed, digest_size=8).hexdigest()


def _sealed(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line | {"sum": _digest(orjson.dumps(line))})


def _unsealed(sealed: bytes) -> dict[str, Any]:
    line: dict[str, Any] = orjson.loads(sealed)
    if line.pop("sum") != _digest(orjson.dumps(line)):
        raise ValueError(f"the line of {line.get('item')!r} was changed after it was written")
    return line


def _line(score: OutputScore) -> dict[str, Any]:
    if bad := [name for name, value in score.values.items() if value is not None and not math.isfinite(value)]:
        raise ValueError(f"{score.item_id}: {bad[0]} is not finite: it has to be a problem, not a value")
    problems = {name: {"reason": each.reason, "detail": each.detail} for name, each in score.problems.items()}
    line = {"item": score.item_id, "output": score.output, "values": dict(score.values), "problems": problems}
    return line | {name: said for name in _SAID if (said := getattr(score, name))}


def _score(line: dict[str, Any], statistics: Mapping[str, Statistic]) -> OutputScore:
    problems = {name: Problem(**each) for name, each in line["problems"].items()}
    if not isinstance(line["item"], str) or not isinstance(line["output"], int):
        raise TypeError(f"item and output are {line['item']!r} and {line['output']!r}")
    return OutputScore(
        item_id=line["item"],
        output=line["output"],
        values=line["values"],
        problems=problems,
        statistics=statistics,
        **{name: line.get(name, "") for name in _SAID},
    )


def _packed(scores: Sequence[OutputScore]) -> bytes:
    """Arrays ``metric/name`` of those outputs that have the metric's statistic, and ``metric/rows``: which they are."""
    arrays: dict[str, np.ndarray] = {}
    for metric in sorted({name for score in scores for name in score.statistics}):
        rows = [place for place, score in enumerate(scores) if metric in score.statistics]
        arrays[f"{metric}/rows"] = np.array(rows, dtype=np.int64)
        for name in scores[rows[0]].statistics[metric]:
            arrays[f"{metric}/{name}"] = np.stack([scores[row].statistics[metric][name] for row in rows])
    file = io.BytesIO()
    np.savez(file, **arrays)  # pyright: ignore[reportArgumentType], numpy's names of its own options
    return file.getvalue()


def _unpacked(packed: bytes, num_scores: int) -> list[dict[str, dict[str, np.ndarray]]]:
    held: list[dict[str, dict[str, np.ndarray]]] = [{} for _ in range(num_scores)]
    with np.load(io.BytesIO(packed), allow_pickle=False) as file:
        rows = {name.removesuffix("/rows"): file[name] for name in file.files if name.endswith("/rows")}
        for name in file.files:
            metric, _, array = name.rpartition("/")
            if array != "rows":
                for row, each in zip(rows[metric], file[name], strict=True):
                    held[row].setdefault(metric, {})[array] = np.asarray(each)  # a scalar where it has no axes
    return held
