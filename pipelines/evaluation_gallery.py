"""The pictures that a report of `evaluate` shows of an output: what was asked, what is expected, what was made."""

from __future__ import annotations

from functools import lru_cache, partial

from cologen.evaluation.benchmarks.catalog import BENCHMARKS
from cologen.evaluation.records import Item, Picture
from cologen.evaluation.reporting.gallery import Gallery
from cologen.evaluation.scoring.candidates import decoded
from pipelines.evaluation_work import EvaluationWork

_KEPT_ITEMS = 16
"""Items whose pictures stay in memory while a gallery is made: several of its outputs may be of one item."""


def gallery_of(work: EvaluationWork) -> Gallery:
    """Pictures of the dataset and of the outputs, decoded when they are shown."""
    beside = lru_cache(maxsize=_KEPT_ITEMS)(partial(_beside, work))

    def pictures(item_id: str, number: int) -> dict[str, Picture]:
        return beside(item_id) | {"output": decoded(work.outputs.find(_item(work, item_id), number))}

    return Gallery(pictures=pictures)


def _beside(work: EvaluationWork, item_id: str) -> dict[str, Picture]:
    """What is shown beside an item's outputs; a condition that an extractor draws only where that is given."""
    item = _item(work, item_id)
    expected = work.benchmark.expected(item)
    reference = expected.references[0] if expected.references else None
    known = {"source": expected.source, "reference": reference, "target": expected.target}
    found = {name: picture for name, picture in known.items() if picture is not None}
    drawn = "extractor" in BENCHMARKS[work.options.bench].options
    if expected.source is None and item.task == "control" and (work.options.protocol.extractor or not drawn):
        found = {"condition": work.benchmark.question(item).pictures[0], **found}
    return found


def _item(work: EvaluationWork, item_id: str) -> Item:
    return next(item for item in work.benchmark.items if item.item_id == item_id)
