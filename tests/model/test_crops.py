"""A hole that is filled at full size: nothing else of the picture changes, wherever the hole is."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cologen.model.conditions import Size, read_given, with_known
from cologen.model.crops import Crop
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.tasks import TASKS
from tests.model.test_pipeline import picture, seeded, world

__all__ = ["world"]

HEIGHT, WIDTH = 64, 96
CALL: dict[str, Any] = {"task": "inpaint", "num_inference_steps": 1, "height": 32, "width": 48}


def scene() -> Image.Image:
    return Image.fromarray((picture(1, HEIGHT, WIDTH).permute(1, 2, 0) * 255).byte().numpy())


def hole(top: int, left: int, bottom: int, right: int) -> torch.Tensor:
    mask = torch.zeros(HEIGHT, WIDTH)
    mask[top:bottom, left:right] = 1
    return mask


def crop_of(mask: torch.Tensor, padding: int, size: Size = Size(height=32, width=48)) -> Crop:  # noqa: B008
    return Crop.around_hole(read_given(TASKS["inpaint"], scene(), mask, None), size, padding)


def filled(pipeline: CoLoGenPipeline, mask: torch.Tensor, **arguments: Any) -> np.ndarray:
    call = {**CALL, **arguments}
    (made,) = pipeline("a red ball", image=scene(), mask=mask, generator=seeded(), **call).images
    return np.asarray(made)


@pytest.mark.parametrize(
    "mask", [hole(20, 30, 28, 40), hole(0, 0, 3, 2), hole(60, 90, 64, 96), hole(0, 40, 64, 44), hole(10, 0, 12, 96)]
)
def test_around_the_hole_no_pixel_changes(world: CoLoGenPipeline, mask: torch.Tensor):
    made, given = filled(world, mask, padding_mask_crop=4), np.asarray(scene())
    assert made.shape == given.shape
    assert np.array_equal(made[mask.numpy() == 0], given[mask.numpy() == 0])
    assert (made[mask.numpy() == 1] != given[mask.numpy() == 1]).mean() > 0.5


def test_a_crop_of_the_whole_picture_is_none(world: CoLoGenPipeline):
    size = {"height": HEIGHT, "width": WIDTH}
    mask = hole(20, 30, 28, 40)
    cropped = filled(world, mask, padding_mask_crop=100, **size)
    assert np.array_equal(cropped, filled(world, mask, paste_known=True, **size))


def test_the_crop_has_the_proportions_of_the_result_and_holds_hole_and_padding():
    crop = crop_of(hole(20, 30, 24, 40), 4)
    assert (crop.left, crop.top, crop.right, crop.bottom) == (26, 16, 44, 28)  # 18 x 12, as 48 x 32
    corner = crop_of(hole(60, 94, 64, 96), 2)
    assert (corner.right, corner.bottom) == (WIDTH, HEIGHT)
    assert corner.right - corner.left == 1.5 * (corner.bottom - corner.top)


def test_what_is_generated_is_put_in_its_place_for_every_draw():
    mask = hole(20, 30, 24, 40)
    crop = crop_of(mask, 4)
    drawn = torch.stack([torch.full((3, 32, 48), level) for level in (-0.5, 0.5)])
    made = crop.pasted(drawn.to(torch.bfloat16))
    for one, level in zip(made, (-0.5, 0.5), strict=True):
        assert torch.equal(one[:, mask == 0], crop.whole[:, mask == 0])
        torch.testing.assert_close(one[:, mask == 1], torch.full((3, 40), level))


def test_known_pixels_are_not_rounded_by_a_half_precision():
    whole, mask = picture(1)[None] * 2 - 1, torch.zeros(1, 1, 32, 48)
    assert torch.equal(with_known(torch.zeros(1, 3, 32, 48, dtype=torch.bfloat16), whole, mask), whole)


def test_several_draws_of_one_picture_and_a_later_start(world: CoLoGenPipeline):
    mask = hole(20, 30, 28, 40)
    draws = world(
        ["a red ball", "a blue ball"], image=scene(), mask_image=mask, padding_mask_crop=4, strength=0.5,
        **{**CALL, "num_inference_steps": 2},
    ).images  # fmt: skip
    assert [each.size for each in draws] == [(WIDTH, HEIGHT)] * 2
    assert draws[0].tobytes() != draws[1].tobytes()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"padding_mask_crop": -1}, "at least 0: got -1"),
        ({"padding_mask_crop": 4, "paste_known": True}, "by itself: leave paste_known out"),
        ({"mask": None, "task": "editing"}, "padding_mask_crop needs a mask, and a result in pixels"),
        ({"output_type": "latent"}, "padding_mask_crop needs a mask, and a result in pixels"),
        ({"image": [scene(), scene()]}, "is for one image with one mask: call once for each"),
        ({"prompt": ["a", "b"], "image": [scene()] * 2, "mask": [hole(0, 0, 9, 9)] * 2}, "call once for each"),
        ({"mask_image": hole(0, 0, 9, 9)}, "mask and mask_image are two names of one argument"),
    ],
)
def test_a_crop_that_means_nothing_is_refused(world: CoLoGenPipeline, wrong: dict[str, Any], message: str):
    call = {"prompt": "a", "image": scene(), "mask": hole(0, 0, 9, 9), "padding_mask_crop": 4, **CALL, **wrong}
    with pytest.raises(ValueError, match=message):
        world(**call)
