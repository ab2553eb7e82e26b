"""Scores a part of a benchmark: a pure function of the dataset, the outputs, the metrics and the networks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.generating.outputs import OutputFolder, shown_for
from cologen.evaluation.inputs import digest_of_expected, digest_of_shown
from cologen.evaluation.metric import AnyMetric, Metric, Statistic
from cologen.evaluation.records import Case, Expected, Item, Need, ScoreError
from cologen.evaluation.scoring.candidates import Candidate, decoded, known_output
from cologen.evaluation.scoring.log import ALL, OutputScore, Problem
from cologen.evaluation.scoring.readings import Networks, Readings

PART_SIZE = 32
"""Items in a part. Values do not depend on it: on the CPU a network reads one picture at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Measures outputs; made once in each process that scores."""

    benchmark: Benchmark
    metrics: tuple[AnyMetric, ...]
    networks: Networks
    outputs: OutputFolder
    candidates: tuple[Candidate, ...] = ("model", "oracle", "identity")

    def __call__(self, part: int) -> ScoredPart:
        """The scores of every candidate for the items of a part, one for each output.

        Candidates share what the networks read: the oracle's output is the target, which is read once.
        """
        cases: dict[Candidate, list[_Output]] = {candidate: [] for candidate in self.candidates}
        places = items_of(self.benchmark, part)
        for place in places:
            expected = expected_of(self.benchmark, self.benchmark.items[place])
            inputs = digest_of_inputs(expected)
            for candidate in self.candidates:
                cases[candidate] += self._outputs(candidate, place, expected, inputs)
        readings = Readings(self.networks)
        needs = [need for metric in self.metrics for need in metric.needs]
        readings.prepare(needs, [each.case for outputs in cases.values() for each in outputs if each.case is not None])
        if any(need.network == "judge" for need in needs):
            readings.ask([each.case for each in cases.get("model", ()) if each.case is not None])
        items = [self.benchmark.items[place] for place in places]
        scores: dict[Candidate, list[OutputScore]] = {}
        for candidate, outputs in cases.items():
            judged = candidate == "model"
            found = [_score(self.metrics, readings, each, judged=judged) for each in outputs]
            scores[candidate] = _repeated(candidate, found, items)
        return ScoredPart(scores, {name: network.identity for name, network in self.networks.items()})

    def _other(self, place: int) -> Item:
        """The next item of the same part, so that a part's scores rest on its own outputs alone."""
        places = items_of(self.benchmark, place // PART_SIZE)
        if len(places) == 1:
            raise ScoreError("missing", "there is no other item whose output could be taken")
        return self.benchmark.items[places[(place - places.start + 1) % len(places)]]

    def _outputs(self, candidate: Candidate, place: int, expected: Expected | ScoreError, inputs: str) -> list[_Output]:
        """Of the model one for each number; of the others one, for all numbers."""
        item = self.benchmark.items[place]
        numbers = range(item.num_outputs) if candidate == "model" else range(1)
        made = [self._output(candidate, place, number, expected) for number in numbers]
        return [replace(each, inputs=inputs) for each in made]

    def _output(self, candidate: Candidate, place: int, number: int, expected: Expected | ScoreError) -> _Output:
        item = self.benchmark.items[place]
        digest = digest_of(self.outputs, item, number) if candidate == "model" else ""
        try:
            if candidate == "model":
                path = self.outputs.find(item, number)
                output = decoded(path)
                _require_current(path, expected)
            elif candidate == "shuffled":
                output = decoded(self.outputs.find(self._other(place), number))
            elif isinstance(expected, ScoreError):
                raise expected
            else:
                output = known_output(candidate, item, expected)
            if isinstance(expected, ScoreError):
                raise expected
        except ScoreError as error:
            return _Output(item, number, problem=error, digest=digest)
        return _Output(item, number, case=Case(item=item, output=output, expected=expected), digest=digest)


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """A part's scores by candidate, and the identities of the networks that they rest on."""

    scores: Mapping[Candidate, list[OutputScore]]
    networks: Mapping[str, str]


def num_parts(benchmark: Benchmark) -> int:
    """How many parts the items make."""
    return math.ceil(len(benchmark.items) / PART_SIZE)


def items_of(benchmark: Benchmark, part: int) -> range:
    """The places of a part's items."""
    return range(len(benchmark.items))[part * PART_SIZE : (part + 1) * PART_SIZE]


@dataclass(frozen=True, slots=True)
class _Output:
    """An output as a case, or why it is none.

    ``digest`` names the file that it was read from, ``inputs`` the pictures of the dataset.
    """

    item: Item
    number: int
    case: Case | None = None
    problem: ScoreError | None = None
    digest: str = ""
    inputs: str = ""


def expected_of(benchmark: Benchmark, item: Item) -> Expected | ScoreError:
    """What an item's outputs are compared with, or why that cannot be read."""
    try:
        return benchmark.expected(item)
    except ScoreError as error:
        return error


def digest_of_inputs(expected: Expected | ScoreError) -> str:
    """A hash of what an item's outputs are compared with; empty where that cannot be read."""
    return "" if isinstance(expected, ScoreError) else digest_of_expected(expected)


def _require_current(path: Path, expected: Expected | ScoreError) -> None:
    """Refuse an output that was generated from other pictures than those that the dataset has now."""
    if isinstance(expected, ScoreError) or not (shown := shown_for(path)):
        return
    if shown != digest_of_shown(expected):
        raise ScoreError(
            "outdated", f"{path.name} was made from another picture than the dataset has now: remove it, or --fresh"
        )


def _resized(case: Case) -> str:
    """How output and what it is compared with differ in size, in pixels; empty where they do not."""
    expected = case.expected
    for like in (expected.target, expected.source, expected.condition):
        if like is not None:
            sizes = [f"{width} x {height}" for height, width in (case.output.shape[:2], like.shape[:2])]
            return "" if sizes[0] == sizes[1] else f"{sizes[0]}, compared with {sizes[1]}"
    return ""


def digest_of(folder: OutputFolder, item: Item, number: int) -> str:
    """A hash of an output's file; empty where there is none."""
    try:
        return hashlib.blake2b(folder.find(item, number).read_bytes(), digest_size=8).hexdigest()
    except ScoreError:
        return ""


def _score(metrics: Sequence[AnyMetric], readings: Readings, output: _Output, *, judged: bool) -> OutputScore:
    """``judged``: whether the judge was asked. It costs money, so no other candidate than the model has its scores."""
    score = OutputScore(item_id=output.item.item_id, output=output.number, digest=output.digest, inputs=output.inputs)
    if output.problem is not None:
        return replace(score, problems={ALL: Problem(reason=output.problem.reason, detail=output.problem.detail)})
    assert output.case is not None
    values: dict[str, float | None] = {}
    problems: dict[str, Problem] = {}
    statistics: dict[str, Statistic] = {}
    for metric in metrics:
        if not judged and "judge" in _networks(metric.needs):
            values[metric.name] = None
            continue
        try:
            case = replace(output.case, readings=readings.of(output.case, metric.needs))
            if isinstance(metric, Metric):
                values[metric.name] = _finite(metric.name, metric.value(case))
            else:
                statistics[metric.name] = _finite_statistic(metric.name, metric.statistic(case))
        except ScoreError as error:
            problems[metric.name] = Problem(reason=error.reason, detail=error.detail)
    return replace(score, values=values, problems=problems, statistics=statistics, resized=_resized(output.case))


def _finite(name: str, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ScoreError("not_finite", f"{name} is {value}")
    return value


def _finite_statistic(name: str, statistic: Statistic) -> Statistic:
    for array_name, array in statistic.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ScoreError("not_finite", f"{name}: {array_name} has NaN or infinity")
    return statistic


def _repeated(candidate: Candidate, scores: list[OutputScore], items: Sequence[Item]) -> list[OutputScore]:
    """A known answer counts for each output of its item, so that all candidates have lines for the same outputs."""
    if candidate == "model":
        return scores
    return [
        replace(score, output=number)
        for item, score in zip(items, scores, strict=True)
        for number in range(item.num_outputs)
    ]


def _networks(needs: Sequence[Need]) -> set[str]:
    return {need.network for need in needs}
