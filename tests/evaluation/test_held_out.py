"""Measures of held-out samples, on pictures whose values are known."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from cologen.datagen.drawn_pairs import PAIRS
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.held_out import change, edges, kept, l1, l1_inside, l1_outside, objects, shared, ssim

BLACK, GREY = (np.full((16, 24, 3), shade, np.uint8) for shade in (0, 51))
EVERYWHERE = np.ones((16, 24), np.uint8)


def half() -> np.ndarray:
    """1 in the left half."""
    mask = np.zeros((16, 24), np.uint8)
    mask[:, :12] = 1
    return mask


def test_l1_is_the_mean_difference_of_values_in_0_to_1():
    assert l1(None, BLACK, GREY, EVERYWHERE) == {"l1": pytest.approx(0.2)}
    assert l1(None, GREY, BLACK, EVERYWHERE) == {"l1": pytest.approx(0.2)}  # bytes do not wrap
    assert l1(GREY, BLACK, BLACK, EVERYWHERE) == {"l1": 0.0}


def test_inside_and_outside_of_the_mask():
    output = np.where(half()[..., None] > 0, GREY, BLACK)
    assert l1_inside(None, BLACK, output, half()) == {"l1_inside": pytest.approx(0.2)}
    assert l1_outside(None, BLACK, output, half()) == {"l1_outside": 0.0}
    assert l1(None, BLACK, output, half()) == {"l1": pytest.approx(0.1)}


@pytest.mark.parametrize("mask", [EVERYWHERE, 0 * EVERYWHERE])
def test_a_mask_without_two_sides_has_no_values(mask: np.ndarray):
    assert l1_inside(None, BLACK, GREY, mask) == {}
    assert l1_outside(None, BLACK, GREY, mask) == {}


def test_ssim_is_that_of_torchmetrics():
    draws = np.random.default_rng(0)
    target = draws.integers(0, 256, (21, 34, 3), dtype=np.uint8)
    output = np.clip(target.astype(int) + draws.integers(-60, 60, target.shape), 0, 255).astype(np.uint8)
    mask = np.ones((21, 34), np.uint8)
    pair = [torch.from_numpy(each / 255).permute(2, 0, 1)[None] for each in (output, target)]
    expected = structural_similarity_index_measure(*pair, data_range=1.0)
    assert isinstance(expected, torch.Tensor)
    assert ssim(None, target, output, mask) == {"ssim": pytest.approx(float(expected), abs=1e-6)}
    assert ssim(None, target, target, mask) == {"ssim": pytest.approx(1.0)}


def test_a_picture_smaller_than_the_window_has_no_ssim():
    small = np.zeros((10, 16, 3), np.uint8)
    assert ssim(None, small, small, np.ones((10, 16), np.uint8)) == {}


def test_objects_are_those_that_the_output_has_as_the_target_does():
    scenes = [sample_scene(0, index, "simple") for index in range(40)]
    pictures = [render(scene, 32, 32).picture for scene in scenes]
    mask = np.ones((32, 32), np.uint8)
    same = [objects(None, picture, picture, mask) for picture in pictures]
    told = [index for index, found in enumerate(same) if found]
    assert len(told) >= 36 and all(same[index] == {"objects": 1.0} for index in told)
    others = [objects(None, pictures[one], pictures[two], mask)["objects"] for one, two in pairwise(told)]
    assert sum(others) / len(others) < 0.1
    bare = np.broadcast_to(pictures[0][:1, :1], pictures[0].shape)
    assert objects(None, pictures[told[0]], bare, mask) == {"objects": 0.0}


def test_a_target_that_is_no_scene_has_no_objects():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert objects(None, noise, noise, np.ones((32, 32), np.uint8)) == {}


def test_a_change_is_made_where_the_output_is_nearer_to_the_target_and_the_rest_is_kept():
    target = np.where(half()[:, ::-1, None] > 0, GREY, BLACK)
    for output, made, left in ((BLACK, 0.0, 1.0), (target, 1.0, 1.0), (GREY, 1.0, 0.0)):
        assert change(BLACK, target, output, EVERYWHERE) == {"change": made}
        assert kept(BLACK, target, output, EVERYWHERE) == {"kept": left}


def test_without_a_source_that_is_changed_there_is_no_change():
    for source, target in ((None, GREY), (GREY, GREY), (BLACK, GREY)):
        assert change(source, target, GREY, EVERYWHERE) == kept(source, target, GREY, EVERYWHERE) == {}


@pytest.mark.parametrize("task", PAIRS)
def test_true_targets_are_best_and_sources_change_nothing(task: str):
    """Marks, edits and holes are changes; a subject is in both pictures; a control map is neither."""
    pairs = [PAIRS[task](3, index, "simple", 32) for index in range(6)]
    mask = np.ones((32, 32), np.uint8)
    for pair in pairs:
        for measure in (change, kept, shared, edges):
            assert set(measure(pair.source, pair.target, pair.target, mask).values()) <= {1.0}
    made = [change(pair.source, pair.target, pair.source, mask) for pair in pairs]
    assert all(each in ({}, {"change": 0.0}) for each in made)
    assert any(made) == (task in ("inpaint", "grounding", "editing"))
    assert any(shared(pair.source, pair.target, pair.target, mask) for pair in pairs) == (task != "control")
    blank = np.full((32, 32, 3), 128, np.uint8)
    assert all(set(shared(pair.source, pair.target, blank, mask).values()) <= {0.0} for pair in pairs)
