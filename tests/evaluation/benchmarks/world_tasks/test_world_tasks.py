"""True pictures score at the top of every task of the synthetic dataset, and pictures that ignore the task do not."""

from collections.abc import Callable

import numpy as np
import pytest

from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks.catalog import open_benchmark
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.benchmarks.world_tasks.asking import ASK, OVERSAMPLING
from cologen.evaluation.metric import Metric
from cologen.evaluation.records import Case, Expected, Picture, Question
from cologen.evaluation.worldbench.control_measures import covering_pairs

TASKS = tuple(ASK)
NUM_ITEMS = 30


@pytest.fixture(scope="module")
def opened() -> dict[str, Benchmark]:
    return {task: open_benchmark(f"world_{task}", None, Options(limit=NUM_ITEMS)) for task in TASKS}


def _means(benchmark: Benchmark, output: Callable[[Question, Expected], Picture]) -> dict[str, float]:
    found = dict[str, list[float]]()
    for item in benchmark.items:
        question, expected = benchmark.question(item), benchmark.expected(item)
        case = Case(item=item, output=output(question, expected), expected=expected)
        for metric in benchmark.metrics:
            assert isinstance(metric, Metric)
            value = metric.value(case)
            if value is not None:
                found.setdefault(metric.name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _true(_question: Question, expected: Expected) -> Picture:
    assert expected.target is not None
    return expected.target


def _unchanged(question: Question, _expected: Expected) -> Picture:
    return question.pictures[0]


def _blank(question: Question, _expected: Expected) -> Picture:
    assert question.height is not None and question.width is not None
    return np.full((question.height, question.width, 3), 128, np.uint8)


@pytest.mark.parametrize("task", TASKS)
def test_true_pictures_are_at_the_top(task: str, opened: dict[str, Benchmark]):
    means = _means(opened[task], _true)
    assert means.keys() == {metric.name for metric in opened[task].metrics}
    for name, mean in means.items():
        # A rim's pixels are half an object's, and a frame's width is rounded.
        least = 0.8 if name in ("iou", "miou", "depth_miou") else 0.9
        assert mean < 0.01 if name.startswith("l1") else mean >= least, name


@pytest.mark.parametrize("task", TASKS)
def test_a_blank_picture_fulfils_nothing(task: str, opened: dict[str, Benchmark]):
    means = _means(opened[task], _blank)
    asked = {
        "objects", "places", "whole", "hidden", "marked", "subject", "made", "edge_f1", "miou", "depth_miou", "found",
        "order",
    }  # fmt: skip
    assert all(mean < 0.25 for name, mean in means.items() if name in asked)


@pytest.mark.parametrize(("task", "name"), [("grounding", "marked"), ("editing", "made"), ("customized", "whole")])
def test_the_unchanged_source_does_what_was_asked_nowhere(task: str, name: str, opened: dict[str, Benchmark]):
    assert _means(opened[task], _unchanged)[name] == 0


def test_the_hole_hides_what_is_asked_for(opened: dict[str, Benchmark]):
    inpaint = opened["inpaint"]
    assert _means(inpaint, lambda _question, expected: _given(expected.source))["hidden"] < 0.1
    for item in inpaint.items:
        expected = inpaint.expected(item)
        assert expected.region is not None and 0 < expected.region.mean() < 1


def _given(picture: Picture | None) -> Picture:
    assert picture is not None
    return picture


@pytest.mark.parametrize("task", TASKS)
def test_items_are_the_same_every_time_and_others_with_another_seed(task: str, opened: dict[str, Benchmark]):
    def prompts(seed: int) -> list[str]:
        benchmark = open_benchmark(f"world_{task}", None, Options(limit=6, edits_seed=seed))
        return [item.prompt for item in benchmark.items]

    assert prompts(0) == [item.prompt for item in opened[task].items[:6]]
    assert prompts(0) != prompts(1)


def test_every_scene_that_is_asked_from_depth_has_an_order():
    for index in range(20):
        scene = ASK["depth"](7, index, "simple", 32).truth.scene
        assert covering_pairs(scene, 32, 32)


def test_no_scene_is_one_of_training(opened: dict[str, Benchmark]):
    trained = {sample_scene(0, index, "simple").key: sample_scene(0, index, "simple").objects for index in range(20)}
    asked = {ASK["inpaint"](1234, index, "simple", 32).truth.scene.objects for index in range(20)}
    assert not asked & set(trained.values())


@pytest.mark.parametrize("task", TASKS)
def test_sizes_are_those_asked_for(task: str):
    asked = ASK[task](5, 3, "usual", 48)
    assert asked.target.shape == (48, 48, 3)
    assert all(picture.shape == (48, 48, 3) for picture in asked.question.pictures)
    assert OVERSAMPLING == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(level="rich"), "has no level 'rich'"),
        (Options(size=4096), "size is 32 to 512"),
        (Options(reference="source"), "has no option reference"),
    ],
)
def test_what_it_does_not_have_is_refused(options: Options, message: str):
    with pytest.raises(ValueError, match=message):
        open_benchmark("world_text", None, options)
