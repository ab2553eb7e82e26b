"""A small benchmark with exact answers, and a generator and a network without weights, for tests of the machinery."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.generating.asking import Asked
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.metric import AnyMetric, ItemMetric, Metric, SetMetric
from cologen.evaluation.records import Case, Expected, Item, Need, Picture, Question, ScoreError
from cologen.evaluation.scoring.candidates import Candidate
from cologen.evaluation.scoring.scorer import Scorer

NUM_ITEMS, NUM_OUTPUTS = 70, 2
SIDE = 16


REPLACED: set[str] = set()
"""Items whose source is another picture now, though the dataset lists the same."""


def picture(name: str) -> Picture:
    """Noise that belongs to a name."""
    return np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def _question(item: Item) -> Question:
    if item.item_id == "i5":
        raise ScoreError("bad_input", "i5: the source is damaged")
    return Question(task="editing", prompt=item.prompt, pictures=(picture(item.item_id),))


def _expected(item: Item) -> Expected:
    if item.item_id == "i5":
        raise ScoreError("bad_input", "i5: the source is damaged")
    source = picture(item.item_id + "'" if item.item_id in REPLACED else item.item_id)
    return Expected(source=source, target=255 - source, texts={"output": item.prompt})


def l1(case: Case) -> float:
    assert case.expected.target is not None
    return float(np.abs(case.output / 255 - case.expected.target / 255).mean())


def _level(case: Case) -> float | None:
    """How far the network's readings of output and target are apart; it does not apply to item i7."""
    output, target = (case.readings[Need(network="level", slot=slot)] for slot in ("output", "target"))
    return None if case.item.item_id == "i7" else abs(float(output[0] - target[0]))


def _sum(case: Case) -> dict[str, np.ndarray]:
    return {"sum": np.array(int(case.output.sum()), dtype=np.int64)}


METRICS: tuple[AnyMetric, ...] = (
    Metric(name="l1", title="L1", better="lower", best=0.0, worst=1.0, protocol="to the target", value=l1),
    Metric(
        name="level", title="level", better="lower", best=0.0, worst=None, protocol="mean level", value=_level,
        needs=(Need(network="level", slot="output"), Need(network="level", slot="target")),
    ),
    ItemMetric(
        name="pooled", title="pooled", better="higher", best=1.0, worst=0.0, protocol="sum over outputs",
        statistic=_sum, value=lambda statistics: float(sum(int(each["sum"]) for each in statistics)),
    ),
    SetMetric(
        name="total", title="total", better="higher", best=1.0, protocol="sum over all", statistic=_sum,
        figure=lambda statistics: float(sum(int(each["sum"]) for each in statistics)),
    ),
)  # fmt: skip


def benchmark(num_items: int = NUM_ITEMS) -> Benchmark:
    items = [
        Item(item_id=f"i{k}", cluster=f"c{k // 3}", prompt=f"item {k}", task="editing", num_outputs=NUM_OUTPUTS)
        for k in range(num_items)
    ]
    return Benchmark(
        name="toy", title="Toy", items=items, question=_question, expected=_expected, metrics=METRICS, protocol={}
    )


def load_generator() -> Inverter:
    return Inverter()


class Inverter:
    """Answers with the source inverted, and one pixel that the seed decides; refuses item 9."""

    def __call__(self, batch: Sequence[Asked]) -> list[Picture | ValueError]:
        return [self._answer(asked) for asked in batch]

    def _answer(self, asked: Asked) -> Picture | ValueError:
        if asked.question.prompt == "item 9":
            return ValueError("item 9 is refused")
        output = 255 - asked.question.pictures[0]
        output[0, 0] = np.frombuffer(asked.seed.to_bytes(8, "little"), dtype=np.uint8)[:3]
        return output


class Level:
    """A picture's mean level; NaN for one that is all black."""

    identity = "level"

    def __init__(self) -> None:
        self.num_read = 0

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        self.num_read += len(pictures)
        return [np.array([np.nan if not each.any() else each.mean()], dtype=np.float32) for each in pictures]


def load_scorer(outputs: Path, candidates: tuple[Candidate, ...] = ("model", "oracle", "identity")) -> Scorer:
    return Scorer(
        benchmark=benchmark(),
        metrics=METRICS,
        networks={"level": Level()},
        outputs=OutputFolder(outputs),
        candidates=candidates,
    )


scorer_of = partial(partial, load_scorer)
"""``scorer_of(outputs)`` is a loader as workers take it."""
