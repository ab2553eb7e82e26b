"""Pictures of one size are cropped alike, masks stay masks, and what fits already is left as it is."""

import cv2
import numpy as np
import pytest

from cologen.trainer.data.pixels import Pixels, fit, fit_mask

CORNERS = ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.3, 0.9))


def picture(width: int, height: int) -> np.ndarray:
    """Smooth: red grows to the right, green downwards."""
    across = np.broadcast_to(np.linspace(0, 255, width), (height, width))
    down = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
    return np.stack([across, down, np.zeros((height, width))], axis=2).astype(np.uint8)


def fitted(whole: np.ndarray, size: tuple[int, int], at: tuple[float, float], kind: str | None = None) -> np.ndarray:
    into = np.empty((size[1], size[0], 3), np.uint8)
    fit(whole, into, at, kind)
    return into


def fitted_mask(mask: np.ndarray, size: tuple[int, int], at: tuple[float, float]) -> np.ndarray:
    into = np.empty(size[::-1], np.uint8)
    fit_mask(mask, into, at)
    return into


def test_what_has_the_size_is_left_as_it_is():
    whole = picture(64, 48)
    for at in CORNERS:
        assert np.array_equal(fitted(whole, (64, 48), at), whole)


@pytest.mark.parametrize("size", [(32, 32), (64, 32), (32, 64), (200, 160)])
def test_the_crop_is_the_largest_and_lies_where_it_was_asked_for(size: tuple[int, int]):
    found = fitted(picture(64, 48), size, (0.0, 0.0))
    assert found.shape == (size[1], size[0], 3)
    assert found[0, 0, :2].max() < 12
    last = fitted(picture(64, 48), size, (1.0, 1.0))
    assert last[-1, -1, :2].min() > 243
    spread = np.ptp(last[:, :, 0].astype(int)), np.ptp(last[:, :, 1].astype(int))
    assert max(spread) > 243  # one side is whole


@pytest.mark.parametrize("size", [(32, 32), (24, 48), (100, 100)])
def test_source_target_and_mask_are_cropped_alike(size: tuple[int, int]):
    generator = np.random.default_rng(0)
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 20:50] = 1
    target = picture(64, 48)
    source = target.copy()
    source[mask == 1] = (0, 0, 255)
    for at in generator.random((5, 2)).tolist():
        hidden = fitted_mask(mask, size, tuple(at))
        shown = fitted(source, size, tuple(at))
        assert set(np.unique(hidden)) <= {0, 1}
        assert shown[hidden == 1][:, 2].min() > 100
        assert shown[hidden == 0][:, 2].max() < 155
        far = cv2.dilate(hidden, np.ones((9, 9), np.uint8)) == 0  # cubic interpolation reaches a little over edges
        assert np.abs(shown[far].astype(int) - fitted(target, size, tuple(at))[far].astype(int)).max() <= 2


def test_colours_of_classes_never_mix():
    classes = np.random.default_rng(1).choice([0, 90, 200], (48, 64, 1)).astype(np.uint8).repeat(3, axis=2)
    assert set(np.unique(fitted(classes, (32, 32), (0.5, 0.5), "segmentation"))) <= {0, 90, 200}
    assert len(np.unique(fitted(classes, (32, 32), (0.5, 0.5)))) > 3


def test_samples_lie_side_by_side():
    whole = Pixels.blank(3, (8, 6), sourced=True, masked=True)
    assert whole.source is not None and whole.mask is not None
    assert whole.source.shape == whole.target.shape == (3, 6, 8, 3)
    assert whole.mask.shape == (3, 6, 8)
    fit(picture(8, 6), whole.target[1], (0.0, 0.0))
    assert np.array_equal(whole.target[1], picture(8, 6))
    bare = Pixels.blank(3, (8, 6), sourced=False, masked=False)
    assert bare.source is None and bare.mask is None
