"""Mean IoU: by hand, against a whole confusion matrix, and in any order of outputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.evaluation.metric import WithheldError
from cologen.evaluation.metrics.classes import class_areas, mean_iou
from cologen.evaluation.records import ScoreError


def areas(prediction: object, label: object, *, num_classes: int = 3, ignored: int = 255) -> dict[str, np.ndarray]:
    return dict(
        class_areas(
            np.array(prediction, dtype=np.float32),
            np.array(label, dtype=np.uint8),
            num_classes=num_classes,
            ignored=ignored,
        )
    )


def test_by_hand() -> None:
    """Class 0: 2 of 3, class 1: 1 of 2; class 2 is nowhere and left out, and the ignored pixel does not count."""
    found = areas([[0, 0, 0, 1, 1]], [[0, 0, 1, 1, 255]])
    assert found["both"].tolist() == [2, 1, 0]
    assert mean_iou([found]) == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-15)


def test_a_class_that_is_only_predicted_counts_as_zero() -> None:
    assert mean_iou([areas([[0, 2]], [[0, 0]])]) == pytest.approx((1 / 2 + 0) / 2, abs=1e-15)


def test_ade20k_s_labels_are_the_class_plus_one() -> None:
    shifted = areas([[0, 1, 2, 2]], [[1, 2, 3, 0]], ignored=0)
    assert mean_iou([shifted]) == 1
    assert shifted["predicted"].sum() == 3


def test_labels_that_are_no_class_are_bad_input() -> None:
    with pytest.raises(ScoreError, match="bad_input: a label names class 7, expected 0 to 2"):
        areas([[0, 1]], [[0, 7]])
    with pytest.raises(ScoreError, match="bad_input: a label names class 3"):
        areas([[0, 1]], [[1, 4]], ignored=0)


def test_labels_are_scaled_to_the_output() -> None:
    assert mean_iou([areas(np.kron([[0, 1], [2, 0]], np.ones((2, 2))), [[0, 1], [2, 0]])]) == 1


def test_without_a_pixel_the_figure_is_withheld() -> None:
    with pytest.raises(WithheldError, match="no pixel"):
        mean_iou([areas([[0, 1]], [[255, 255]])])
    with pytest.raises(WithheldError):
        mean_iou([])


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_confusion_matrix_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.zeros((5, 5), dtype=np.int64)
    statistics: list[dict[str, np.ndarray]] = []
    for _ in range(3):
        label, prediction = rng.integers(0, 6, (6, 7)), rng.integers(0, 5, (6, 7))
        label[label == 5] = 255
        statistics.append(areas(prediction, label, num_classes=5))
        for truth, guess in zip(label.ravel(), prediction.ravel(), strict=True):
            if truth != 255:
                matrix[truth, guess] += 1
    with np.errstate(invalid="ignore"):
        ious = np.diag(matrix) / (matrix.sum(0) + matrix.sum(1) - np.diag(matrix))
    assert mean_iou(statistics) == pytest.approx(np.nanmean(ious), abs=1e-12)
    assert mean_iou(reversed(statistics)) == mean_iou(iter(statistics))
