"""Canny F1: edges where they are, counts pooled over an item."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kornia.filters import canny
from torchmetrics.functional.classification import binary_f1_score

from cologen.evaluation.metrics.edges import HIGH, LOW, canny_edges, edge_counts, edges_of_map, pooled_f1
from tests.evaluation.metrics.cases import flat

MAPS = arrays(np.bool_, (6, 8))


def test_a_square_s_edges_are_its_outline() -> None:
    image = flat(0, 32, 32)
    image[8:24, 8:24] = 255
    found = canny_edges(image)
    rows, columns = np.nonzero(found)
    assert {int(rows.min()), int(rows.max())} <= {7, 8, 23, 24}
    assert {int(columns.min()), int(columns.max())} <= {7, 8, 23, 24}
    assert not found[10:22, 10:22].any()
    assert 50 <= found.sum() <= 70  # an outline of 60 pixels, one wide


def test_faint_steps_are_no_edges() -> None:
    """A step of 5 grey levels has a magnitude of about 0.05; one of 15 has 0.15, below HIGH; one of 40 is an edge."""
    for step, there in ((5, False), (15, False), (40, True)):
        image = flat(100, 32, 32)
        image[:, 16:] += step
        assert canny_edges(image).any() == there, step


@pytest.mark.parametrize("blur", [0, 1, 2, 4])
def test_edges_are_kornia_s_own(blur: int) -> None:
    """At several scales, so that faint pixels join edges over long ways."""
    noise = np.random.default_rng(blur).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), blur) if blur else noise
    image = cv2.normalize(image, np.empty_like(image), 0, 255, cv2.NORM_MINMAX)
    wanted = canny(torch.from_numpy(np.moveaxis(image, -1, 0)[None].astype(np.float32) / 255), LOW, HIGH)[1]
    assert np.array_equal(canny_edges(image), wanted[0, 0].numpy() > 0.5)
    assert wanted.any()


def test_pooled_by_hand() -> None:
    found = np.array([[1, 1, 1, 1, 0, 0]], dtype=bool)
    expected = np.array([[1, 1, 1, 0, 1, 1]], dtype=bool)
    counts = edge_counts(found, expected)
    assert {name: value.tolist() for name, value in counts.items()} == {
        "true_positives": [3],
        "false_positives": [1],
        "false_negatives": [2],
    }
    assert pooled_f1([counts]) == pytest.approx(6 / 9, abs=1e-15)
    nothing = edge_counts(np.zeros_like(found), expected)
    assert pooled_f1([counts, nothing]) == pytest.approx(6 / (6 + 1 + 7), abs=1e-15)  # not the mean of 6 / 9 and 0


def test_two_empty_maps_agree() -> None:
    empty = np.zeros((3, 3), dtype=bool)
    assert pooled_f1([edge_counts(empty, empty)]) == 1


@given(pairs=st.lists(st.tuples(MAPS, MAPS), min_size=1, max_size=4))
def test_pooling_is_one_map_of_all(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    found, expected = (np.concatenate(each) for each in zip(*pairs, strict=True))
    value = pooled_f1([edge_counts(*pair) for pair in pairs])
    assert 0 <= value <= 1
    if found.any() or expected.any():
        reference = binary_f1_score(torch.from_numpy(found.astype(int)), torch.from_numpy(expected.astype(int)))
        assert value == pytest.approx(float(reference), abs=1e-6)


def test_maps_of_another_size_are_scaled_to_the_output() -> None:
    condition = np.zeros((4, 4), dtype=np.uint8)
    condition[0] = 255
    condition[1] = 127
    assert edges_of_map(condition, (8, 8)).sum() == 16
    assert np.array_equal(edges_of_map(condition, (4, 4)), condition == 255)
