"""Depth error: grey levels by hand, and the reference's own steps."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import to_pil_image

from cologen.evaluation.metrics.depth import depth_error, label_levels, predicted_levels, root_mean_square


def test_by_hand() -> None:
    nearness = np.array([[0, 5], [10, 2.5]], dtype=np.float32)
    label = np.array([[10, 60], [110, 35]], dtype=np.uint8)  # stretched: 0, 127, 255, 63
    assert predicted_levels(nearness, (2, 2)).tolist() == [[0, 127], [255, 63]]
    assert label_levels(label, (2, 2)).tolist() == [[0, 127], [255, 63]]
    assert depth_error(nearness, label, (2, 2)) == 0
    black, white = np.zeros((2, 2), dtype=np.uint8), np.full((2, 2), 255, dtype=np.uint8)
    assert root_mean_square(black, white) == 255
    half = np.array([[0, 0], [100, 100]], dtype=np.uint8)
    assert root_mean_square(black, half) == pytest.approx(np.sqrt(5000), abs=1e-12)


def test_the_prediction_s_minimum_stays() -> None:
    nearness = np.array([[5, 10]], dtype=np.float32)
    assert predicted_levels(nearness, (2, 1)).tolist() == [[127, 255]]


def test_it_is_the_reference_s_value() -> None:
    """Its steps, by torchvision and Pillow: x / max to 8 bits, then bilinear; the label cut off, nearest."""
    rng = np.random.default_rng(0)
    nearness = rng.random((24, 24), dtype=np.float32) * 30
    label = rng.integers(20, 200, (50, 40)).astype(np.uint8)
    scaled = torch.from_numpy(nearness / nearness.max())
    found = np.asarray(to_pil_image(scaled).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR).convert("L"))
    grey = ((label - label.min()) / (label.max() - label.min()) * 255).astype("uint8")
    expected = np.asarray(Image.fromarray(grey).resize((32, 32), Image.Resampling.NEAREST))
    reference = np.sqrt(((found.astype(float) - expected) ** 2).mean())
    assert depth_error(nearness, label, (32, 32)) == pytest.approx(reference, abs=1e-9)


def test_flat_maps_are_black() -> None:
    flat = np.full((4, 4), 7, dtype=np.uint8)
    assert not label_levels(flat, (4, 4)).any()
    assert not predicted_levels(np.zeros((4, 4), dtype=np.float32), (4, 4)).any()
