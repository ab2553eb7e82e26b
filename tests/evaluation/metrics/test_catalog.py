"""The catalog as a whole: names, laws that hold for every metric, and the protocols' options."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from cologen.evaluation.metric import AnyMetric, ItemMetric, Metric, SetMetric
from cologen.evaluation.metrics import catalog
from cologen.evaluation.records import Case, Need, ScoreError
from cologen.evaluation.scoring.log import OutputScore, read_part, write_part
from tests.evaluation.metrics.cases import case_of, picture

SIDE = 192
METRICS: tuple[AnyMetric, ...] = (
    catalog.clip_image(reference="target"),
    catalog.clip_image(reference="source", name="clip_i_source"),
    catalog.clip_text(),
    catalog.clip_text(name="clip_score", scale=100.0),
    catalog.dino(reference="references"),
    *(make(reference="target", region=region) for make in (catalog.l1, catalog.l2, catalog.ssim)
      for region in (None, "inside", "outside")),
    catalog.ms_ssim(network="hed"),
    catalog.ms_ssim(network="lineart", against="target"),
    catalog.canny_f1(against="target"),
    catalog.depth_rmse(),
    catalog.miou(num_classes=4, ignored=255),
    catalog.fid(),
    catalog.gedit_sc(),
    catalog.gedit_pq(),
    catalog.gedit_o(),
    *catalog.imgedit_scores(),
    catalog.edit_accuracy(),
    catalog.preservation_accuracy(),
    catalog.change_iou(),
    catalog.edit_iou(),
    *(catalog.delta_e(region=region) for region in (None, "inside", "outside")),
)  # fmt: skip
ROUNDED = {"depth_rmse": 1.0, "lineart_ssim": 1e-3}
BY_NAME = {metric.name: metric for metric in METRICS}


def perfect(metric: AnyMetric, seed: int = 0) -> Case:
    """An output that is the target: every network reads in it what is asked for."""
    target, source = picture(SIDE, SIDE, seed=seed), picture(SIDE, SIDE, seed=seed + 100)
    source[: SIDE // 2] = target[: SIDE // 2]
    region = np.zeros((SIDE, SIDE), dtype=np.uint8)
    region[SIDE // 2 :] = 1
    readings = {need: _read(need, seed, metric) for need in metric.needs}
    condition = _condition(metric, seed)
    return case_of(target, readings, source=source, target=target, region=region, condition=condition)


def _levels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((SIDE, SIDE), dtype=np.float32)


def _condition(metric: AnyMetric, seed: int) -> np.ndarray:
    if metric.name == "depth_rmse":
        return (_levels(seed) / _levels(seed).max() * 255).astype(np.uint8)
    scale = 4 if metric.name == "miou" else 255
    return (_levels(seed) * scale).astype(np.uint8)


def _read(need: Need, seed: int, metric: AnyMetric) -> np.ndarray:
    if need.network == "judge":
        return np.array([metric.best] * (3 if metric.name.startswith("imgedit") else 4), dtype=np.float32)
    if need.network == "segmenter":
        return (_levels(seed) * 4).astype(np.uint8).astype(np.float32)
    if need.network in ("hed", "lineart", "depth"):
        return _levels(seed)
    features = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return np.stack([features, 2 * features]) if need.slot == "references" else features


def value_of(metric: AnyMetric, *cases: Case) -> float | None:
    if isinstance(metric, Metric):
        return metric.value(cases[0])
    if isinstance(metric, ItemMetric):
        return metric.value([metric.statistic(case) for case in cases])
    return metric.figure(metric.statistic(case) for case in cases)


def test_names_are_unique_and_say_what_decides_a_value() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.name.isidentifier() and metric.title and metric.protocol and "\n" not in metric.protocol


@pytest.mark.parametrize("name", BY_NAME)
def test_a_perfect_output_has_the_best_value(name: str) -> None:
    """Two protocols round output and target apart: the depth label's minimum goes to 0, and drawings are inverted."""
    metric = BY_NAME[name]
    value = value_of(metric, *(perfect(metric, seed) for seed in range(3)))
    assert value == pytest.approx(metric.best, abs=ROUNDED.get(name, 1e-6))


@pytest.mark.parametrize("name", BY_NAME)
def test_worse_is_worse(name: str) -> None:
    metric = BY_NAME[name]
    cases = [perfect(metric, seed) for seed in range(3)]
    rng = np.random.default_rng(9)
    noise = [
        Case(
            item=case.item,
            output=picture(SIDE, SIDE, seed=50),
            expected=case.expected,
            readings={
                need: rng.permuted(reading * 0.8, axis=-1) if need.slot == "output" else reading
                for need, reading in case.readings.items()
            },
        )
        for case in cases
    ]
    best, worse = value_of(metric, *cases), value_of(metric, *noise)
    assert best is not None and worse is not None
    assert worse < best if metric.better == "higher" else worse > best
    if not isinstance(metric, SetMetric) and metric.worst is not None:
        assert min(metric.worst, metric.best) <= worse <= max(metric.worst, metric.best)


@pytest.mark.parametrize("name", [name for name, metric in BY_NAME.items() if metric.needs])
def test_nan_of_a_network_is_never_a_number(name: str) -> None:
    metric = BY_NAME[name]
    case = perfect(metric)
    spoilt: Mapping[Need, np.ndarray] = {need: np.full_like(each, np.nan) for need, each in case.readings.items()}
    broken = Case(item=case.item, output=case.output, expected=case.expected, readings=spoilt)
    with pytest.raises(ScoreError) as error:
        value_of(metric, broken)
    assert error.value.reason == "not_finite"


@pytest.mark.parametrize("name", BY_NAME)
def test_a_dataset_without_what_is_compared_is_bad_input(name: str) -> None:
    metric = BY_NAME[name]
    with pytest.raises(ScoreError) as error:
        value_of(metric, case_of(picture()))
    assert error.value.reason == "bad_input"


@pytest.mark.parametrize("name", [name for name, metric in BY_NAME.items() if not isinstance(metric, Metric)])
def test_statistics_survive_the_log(name: str, tmp_path: Path) -> None:
    """Written and read again, they give the same value."""
    metric = BY_NAME[name]
    assert isinstance(metric, ItemMetric | SetMetric)
    statistics = [metric.statistic(perfect(metric, seed)) for seed in range(3)]
    scores = [
        OutputScore(item_id="ball-1", output=number, statistics={name: each}) for number, each in enumerate(statistics)
    ]
    write_part(tmp_path, 0, scores)
    read = [each.statistics[name] for each in read_part(tmp_path, 0)]
    measure = metric.value if isinstance(metric, ItemMetric) else metric.figure
    assert measure(read) == measure(statistics)


def test_options_that_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="form 'wrapped' is of lineart alone"):
        catalog.ms_ssim(network="hed", form="wrapped")
    with pytest.raises(ValueError, match="ignored must be 0 or no class, got 3 of 4"):
        catalog.miou(num_classes=4, ignored=3)


def test_clip_score_is_a_hundred_cosines() -> None:
    case = perfect(BY_NAME["clip_t"])
    turned = {need: each if need.slot == "output" else each[::-1].copy() for need, each in case.readings.items()}
    case = case_of(case.output, turned)
    cosine, score = value_of(BY_NAME["clip_t"], case), value_of(BY_NAME["clip_score"], case)
    assert cosine is not None and score == pytest.approx(100 * cosine, abs=1e-12)


def test_the_wrapped_form_repeats_the_published_inversion() -> None:
    """Wrapped, black (0) and 1 change places: lines on white of all but 0 and 1 keep 257 - x, so it differs by 2."""
    case = perfect(catalog.ms_ssim(network="lineart"))
    corrected, wrapped = (
        catalog.ms_ssim(network="lineart", form=form).value(case) for form in ("corrected", "wrapped")
    )
    assert corrected == pytest.approx(1, abs=1e-3)
    assert wrapped is not None and 0.5 < wrapped < 0.9999


def test_outputs_of_one_number_are_a_set_for_fid() -> None:
    assert catalog.fid().each_number and not catalog.fid(each_number=False).each_number


def test_importing_loads_no_library_of_metrics() -> None:
    heavy = ["torch", "torchmetrics", "kornia", "transformers"]
    code = f"import sys, cologen.evaluation.metrics.catalog; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
