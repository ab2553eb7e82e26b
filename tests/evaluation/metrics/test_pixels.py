"""L1 and L2: values by hand, the reference script's own steps, and regions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.functional import to_tensor

from cologen.evaluation.metrics.pixels import mean_absolute, mean_squared, pixels_of, resized_to
from tests.evaluation.metrics.cases import flat, picture


def test_by_hand() -> None:
    assert mean_absolute(flat(0), flat(128)) == pytest.approx(128 / 255, abs=1e-15)
    assert mean_squared(flat(0), flat(51)) == pytest.approx(0.04, abs=1e-15)
    assert mean_absolute(flat(0), flat(255)) == mean_squared(flat(255), flat(0)) == 1.0


def test_a_quarter_that_is_wrong_is_a_quarter() -> None:
    wrong = flat(0)
    wrong[:2, :3] = 255
    assert mean_absolute(wrong, flat(0)) == 0.25
    assert mean_squared(wrong, flat(0)) == 0.25


@pytest.mark.parametrize("size", [(32, 24), (48, 48), (19, 31)])
def test_it_is_the_reference_script_s_value(size: tuple[int, int]) -> None:
    """Its steps: the output resized by Pillow's default to the target's size, both to tensors, torch's losses."""
    output, target = picture(size[1], size[0], seed=1), picture(seed=2)
    first = to_tensor(Image.fromarray(output).resize((32, 24)) if size != (32, 24) else Image.fromarray(output))
    second = to_tensor(Image.fromarray(target))
    assert mean_absolute(output, target) == pytest.approx(torch.nn.functional.l1_loss(first, second).item(), abs=1e-6)
    assert mean_squared(output, target) == pytest.approx(torch.nn.functional.mse_loss(first, second).item(), abs=1e-6)


def test_equal_sizes_are_left_untouched() -> None:
    output = picture()
    assert resized_to(output, (32, 24)) is output


def test_inside_and_outside_make_the_whole() -> None:
    output, target = picture(seed=1), picture(seed=2)
    region = np.zeros((24, 32), dtype=np.uint8)
    region[:6] = 1  # a quarter
    inside = mean_absolute(output, target, pixels_of(region, (32, 24), "inside"))
    outside = mean_absolute(output, target, pixels_of(region, (32, 24), "outside"))
    assert inside is not None and outside is not None
    assert inside / 4 + outside * 3 / 4 == pytest.approx(mean_absolute(output, target), abs=1e-12)
    spoilt = output.copy()
    spoilt[:6] = 0
    assert mean_absolute(spoilt, target, pixels_of(region, (32, 24), "outside")) == outside


def test_where_nothing_counts_there_is_no_value() -> None:
    whole = np.ones((24, 32), dtype=np.uint8)
    assert mean_absolute(picture(), picture(), pixels_of(whole, (32, 24), "outside")) is None
    assert mean_squared(picture(), picture(), pixels_of(1 - whole, (32, 24), "inside")) is None


def test_a_region_of_another_size_is_scaled() -> None:
    region = np.array([[1, 0], [0, 0]], dtype=np.uint8)
    assert pixels_of(region, (8, 4), "inside")[:2, :4].all()
    assert pixels_of(region, (8, 4), "inside").sum() == 8


@given(seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_differences_are_symmetric_bounded_and_ordered(seeds: tuple[int, int]) -> None:
    first, second = picture(seed=seeds[0]), picture(seed=seeds[1])
    absolute, squared = mean_absolute(first, second), mean_squared(first, second)
    assert absolute is not None and squared is not None
    assert absolute == mean_absolute(second, first) and squared == mean_squared(second, first)
    assert 0 <= absolute**2 <= squared <= absolute <= 1  # Jensen's inequality, and values of at most 1
    assert (absolute == 0) == (seeds[0] == seeds[1])
