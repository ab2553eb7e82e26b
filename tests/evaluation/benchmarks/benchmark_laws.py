"""What holds for every benchmark, for the tests of each."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.metric import Metric
from cologen.evaluation.records import Case, Expected, Question


def check(benchmark: Benchmark, again: Benchmark) -> None:
    """Every item has its pictures and whatever its metrics need; opening the benchmark again gives the same."""
    assert list(again.items) == list(benchmark.items) and again.protocol == benchmark.protocol
    assert len({item.item_id for item in benchmark.items}) == len(benchmark.items) > 0
    names = [metric.name for metric in benchmark.metrics]
    assert len(set(names)) == len(names)
    used = {need.network for metric in benchmark.metrics for need in metric.needs}
    assert used <= set(benchmark.networks), "a network that a metric needs has weights in the protocol"
    assert set(benchmark.networks.items()) <= set(benchmark.protocol.items())
    for item in benchmark.items[:4]:
        question, expected = benchmark.question(item), benchmark.expected(item)
        assert question.prompt == item.prompt and question.task == item.task
        assert dict(expected.texts) == dict(item.texts)
        assert same_question(again.question(item), question) and same_expected(again.expected(item), expected)
        for need in (need for metric in benchmark.metrics for need in metric.needs):
            held = need.slot in ("output", "texts") or getattr(expected, need.slot)
            assert held is not None and (isinstance(held, np.ndarray) or held)
            assert not need.text or need.text in item.texts
        if expected.region is not None and expected.source is not None:
            assert expected.region.shape == expected.source.shape[:2]
            assert set(np.unique(expected.region)) <= {0, 1} and expected.region.any()


def oracle_values(benchmark: Benchmark, place: int = 0) -> dict[str, float | None]:
    """What the metrics that need no network say of the target itself."""
    return _values(benchmark, place, "target")


def identity_values(benchmark: Benchmark, place: int = 0) -> dict[str, float | None]:
    """What the metrics that need no network say of the source, left as it is."""
    return _values(benchmark, place, "source")


def _values(benchmark: Benchmark, place: int, name: str) -> dict[str, float | None]:
    item = benchmark.items[place]
    expected = benchmark.expected(item)
    case = Case(item=item, output=getattr(expected, name), expected=expected)
    alone = [metric for metric in benchmark.metrics if isinstance(metric, Metric) and not metric.needs]
    return {metric.name: metric.value(case) for metric in alone}


def same_question(first: Question, second: Question) -> bool:
    return (first.prompt, first.task, first.width, first.height, first.earlier, first.negative_prompt) == (
        second.prompt,
        second.task,
        second.width,
        second.height,
        second.earlier,
        second.negative_prompt,
    ) and same_pictures(first.pictures, second.pictures)


def same_expected(first: Expected, second: Expected) -> bool:
    names = ("source", "target", "region", "condition")
    singles = [(getattr(first, name), getattr(second, name)) for name in names]
    return same_pictures(first.references, second.references) and all(
        np.array_equal(a, b) if a is not None and b is not None else a is b for a, b in singles
    )


def same_pictures(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def encoded(values: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(values).save(file, kind)
    return file.getvalue()


def plain(color: tuple[int, ...] = (200, 30, 60), size: tuple[int, int] = (32, 24)) -> np.ndarray:
    """A picture of one colour; size is (width, height)."""
    return np.full((size[1], size[0], len(color)), color, dtype=np.uint8)


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
