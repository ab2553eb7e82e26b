"""Measures every rung of every ladder by every metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cologen.datagen.world.edits import Edit
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene
from cologen.evaluation.auditing.ladders import LADDERS
from cologen.evaluation.metric import Metric
from cologen.evaluation.records import Case, Expected, Item, Picture, ScoreError
from cologen.evaluation.scoring.readings import Networks, Readings

Values = dict[tuple[str, str], list[list[float]]]
"""By (metric, ladder): for each edit the values of its rungs, the target's first."""


def audit(
    edits: Sequence[Edit],
    metrics: Sequence[Metric],
    networks: Networks,
    *,
    captions: Callable[[Edit], dict[str, str]],
    side: int,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Values:
    """The values of all rungs; a rung to which a metric does not apply ends that ladder for that edit.

    ``captions`` says what the output and the source should be described by, for metrics that read texts.
    """
    values: Values = {(metric.name, ladder): [] for metric in metrics for ladder in LADDERS}
    for edit in edits:
        expected = _expected(edit, captions(edit), side)
        item = Item(item_id=edit.before.key, cluster=edit.before.key, prompt=edit.instruction)
        for name, ladder in LADDERS.items():
            cases = [Case(item=item, output=rung, expected=expected) for rung in ladder(edit, side, seed)]
            for metric, found in _measured(cases, metrics, networks).items():
                values[metric, name].append(found)
        progress(1)
    return values


def _measured(cases: list[Case], metrics: Sequence[Metric], networks: Networks) -> dict[str, list[float]]:
    readings = Readings(networks)
    readings.prepare([need for metric in metrics for need in metric.needs], cases)
    found: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    for metric in metrics:
        for case in cases:
            try:
                value = metric.value(replace(case, readings=readings.of(case, metric.needs)))
            except ScoreError:
                value = None
            if value is None:
                found[metric.name].clear()
                break
            found[metric.name].append(value)
    return found


def _expected(edit: Edit, texts: dict[str, str], side: int) -> Expected:
    source, target = _drawn(edit.before, side), _drawn(edit.after, side)
    region = (source != target).any(axis=2).astype("uint8")
    return Expected(source=source, target=target, region=region, texts=texts)


def _drawn(scene: Scene, side: int) -> Picture:
    return render(scene, side, side).picture
