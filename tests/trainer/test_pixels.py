"""Pictures of one size are cropped alike, masks stay masks, and what fits already is left as it is."""

import cv2
import numpy as np
import pytest

from cologen.trainer.pixels import Fitted, fit, fit_mask, stacked

CORNERS = ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.3, 0.9))


def picture(width: int, height: int) -> np.ndarray:
    """Smooth: red grows to the right, green downwards."""
    across = np.broadcast_to(np.linspace(0, 255, width), (height, width))
    down = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
    return np.stack([across, down, np.zeros((height, width))], axis=2).astype(np.uint8)


def fitted(**changes: object) -> Fitted:
    pictures = {"source": picture(8, 8), "target": picture(8, 8), "mask": None}
    plain = pictures | {"prompt": "a dog", "task": "editing", "online": None}
    return Fitted(**(plain | changes))


def test_what_has_the_size_is_left_as_it_is():
    whole = picture(64, 48)
    for at in CORNERS:
        assert np.array_equal(fit(whole, (64, 48), at), whole)


@pytest.mark.parametrize("size", [(32, 32), (64, 32), (32, 64), (200, 160)])
def test_the_crop_is_the_largest_and_lies_where_it_was_asked_for(size: tuple[int, int]):
    found = fit(picture(64, 48), size, (0.0, 0.0))
    assert found.shape == (size[1], size[0], 3)
    assert found[0, 0, :2].max() < 12
    last = fit(picture(64, 48), size, (1.0, 1.0))
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
        hidden = fit_mask(mask, size, tuple(at))
        shown = fit(source, size, tuple(at))
        assert set(np.unique(hidden)) <= {0, 1}
        assert shown[hidden == 1][:, 2].min() > 100
        assert shown[hidden == 0][:, 2].max() < 155
        far = cv2.dilate(hidden, np.ones((9, 9), np.uint8)) == 0  # cubic interpolation reaches a little over edges
        assert np.abs(shown[far].astype(int) - fit(target, size, tuple(at))[far].astype(int)).max() <= 2


def test_colours_of_classes_never_mix():
    classes = np.random.default_rng(1).choice([0, 90, 200], (48, 64, 1)).astype(np.uint8).repeat(3, axis=2)
    assert set(np.unique(fit(classes, (32, 32), (0.5, 0.5), "segmentation"))) <= {0, 90, 200}
    assert len(np.unique(fit(classes, (32, 32), (0.5, 0.5)))) > 3


def test_samples_together_are_the_samples():
    mask = np.eye(8, dtype=np.uint8)
    both = stacked([fitted(mask=mask, task="inpaint"), fitted(online="hed", task="control")])
    assert both.source is not None and both.mask is not None
    assert both.source.shape == both.target.shape == (2, 3, 8, 8)
    assert np.array_equal(both.target[1].transpose(1, 2, 0), picture(8, 8))
    assert np.array_equal(both.mask, [mask, np.ones((8, 8))])
    assert (both.tasks, both.online) == (("inpaint", "control"), (None, "hed"))
    assert stacked([fitted(source=None)]).source is None
    assert stacked([fitted()]).mask is None
