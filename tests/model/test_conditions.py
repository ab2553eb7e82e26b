"""Pictures come to the sizes the model sees them in, and holes to mid-grey."""

import pytest
import torch
from diffusers.utils import logging as diffusers_logging

from cologen.model.conditions import (
    HOLE,
    Size,
    chosen_size,
    conditions,
    hole_in,
    read_given,
    rounded,
    task_for,
    usual_size,
    with_known,
)
from cologen.model.tasks import TASKS

SQUARE = Size(height=32, width=32)


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def test_the_hole_is_mid_grey_and_the_rest_is_the_picture():
    image, mask = picture(32, 32), torch.zeros(32, 32)
    mask[:8] = 1
    shown = conditions(read_given(TASKS["inpaint"], image, mask, None), SQUARE, 16)
    (source,) = shown.sources
    assert (source[:, :, :8] == HOLE).all()
    assert round((HOLE + 1) / 2 * 255) == 128
    assert torch.equal(source[0, :, 8:], image[:, 8:] * 2 - 1)
    assert torch.equal(shown.whole[0], image * 2 - 1)


def test_one_picture_with_several_holes_becomes_several():
    masks = [torch.ones(32, 32), torch.ones(32, 32)]
    masks[0][8:] = 0
    shown = conditions(read_given(TASKS["inpaint"], picture(32, 32), masks, 2), SQUARE, 16)
    assert shown.sources[0].shape == (2, 3, 32, 32)
    assert torch.equal(shown.sources[0][0, :, 8:], shown.whole[0, :, 8:])
    assert (shown.sources[0][1] == HOLE).all()


def test_a_picture_under_the_result_gets_its_size_and_a_subject_keeps_its_proportions():
    image = picture(60, 120)
    under = conditions(read_given(TASKS["editing"], image, None, None), SQUARE, 16)
    subject = conditions(read_given(TASKS["customized"], image, None, None), SQUARE, 16)
    assert under.sources[0].shape == (1, 3, 32, 32)
    assert subject.sources[0].shape == (1, 3, 16, 32)


@pytest.mark.parametrize("num_prompts", [2, None])
def test_pictures_of_other_proportions_in_one_call_are_refused(num_prompts: int | None):
    given = read_given(TASKS["editing"], [picture(32, 48), picture(64, 32)], None, num_prompts)
    for size in (SQUARE, usual_size(given, 64)):
        with pytest.raises(ValueError, match=r"image 2 is 32 x 64, image 1 48 x 32: .* call once for each"):
            conditions(given, size, 16)
    same = read_given(TASKS["editing"], [picture(32, 48), picture(65, 96)], None, num_prompts)
    assert conditions(same, Size(height=32, width=48), 16).whole is not None


def test_a_size_that_squeezes_the_picture_is_told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(diffusers_logging.get_logger("diffusers"), "propagate", True)
    given = read_given(TASKS["editing"], picture(60, 120), None, None)
    conditions(given, Size(height=32, width=64), 16)
    assert not caplog.messages
    with caplog.at_level("WARNING"):
        conditions(given, SQUARE, 16)
    assert "120 x 60 is squeezed to 32 x 32" in caplog.text


def test_a_side_that_is_left_out_keeps_the_proportions():
    given = read_given(TASKS["editing"], picture(30, 60), None, None)
    assert chosen_size(given, 1024, 64, None) == Size(height=64, width=128)
    assert chosen_size(given, 1024, None, 30) == Size(height=15, width=30)
    assert chosen_size(given, 1024, 16, 16) == Size(height=16, width=16)
    assert chosen_size(given, 1024, None, None) == Size(height=30, width=60)
    assert chosen_size(None, 64, 32, None) == Size(height=32, width=64)


def test_a_hole_that_vanishes_in_the_results_size_is_refused():
    mask = torch.zeros(64, 64)
    mask[0, 0] = 1
    given = read_given(TASKS["inpaint"], picture(64, 64), mask, None)
    with pytest.raises(ValueError, match="a hole vanishes at 16 x 16"):
        conditions(given, Size(height=16, width=16), 16)
    with pytest.raises(ValueError, match="the mask has no hole"):
        read_given(TASKS["inpaint"], picture(64, 64), mask * 0, None)


def test_subjects_of_a_batch_need_the_same_proportions():
    given = read_given(TASKS["customized"], [picture(32, 32), picture(16, 32)], None, 2)
    with pytest.raises(ValueError, match=r"image 1 of every sample .* 32 x 32, 32 x 16"):
        conditions(given, SQUARE, 16)


@pytest.mark.parametrize(
    ("task", "height", "width", "expected"),
    [
        ("editing", 30, 50, (30, 50)),
        ("editing", 400, 100, (128, 32)),  # shrunk to the area of 64 x 64
        ("customized", 30, 50, (64, 64)),
    ],
)
def test_the_usual_size_is_the_images_within_the_bases_area(
    task: str, height: int, width: int, expected: tuple[int, int]
):
    size = usual_size(read_given(TASKS[task], picture(height, width), None, None), 64)
    assert (size.height, size.width) == expected
    assert usual_size(None, 64) == Size(height=64, width=64)


def test_sides_are_rounded_down_to_whole_tokens():
    assert rounded(Size(height=47, width=64), 16) == Size(height=32, width=64)
    with pytest.raises(ValueError, match="at least 16, got 15 and 64"):
        rounded(Size(height=15, width=64), 16)


@pytest.mark.parametrize(
    ("task", "image", "mask", "message"),
    [
        ("editing", None, None, "editing needs an image"),
        (None, picture(8, 8), None, "say what the image is for"),
        (None, None, torch.ones(8, 8), "a mask needs an image"),
        ("inpaint", picture(8, 8), None, "inpaint needs a mask"),
        ("control", picture(8, 8), torch.ones(8, 8), "control takes no mask"),
    ],
)
def test_what_a_task_cannot_do_with_is_refused(
    task: str | None, image: torch.Tensor | None, mask: object, message: str
):
    with pytest.raises(ValueError, match=message):
        task_for(task, image, mask)


def test_words_alone_are_no_task():
    assert task_for(None, None, None) is None
    assert task_for("edit", picture(8, 8), None) is TASKS["editing"]


def test_a_mask_has_its_images_size_and_belongs_to_one_image():
    with pytest.raises(ValueError, match="the mask is 9 x 8, its image 8 x 8"):
        read_given(TASKS["inpaint"], picture(8, 8), torch.ones(8, 9), None)
    with pytest.raises(ValueError, match="one mask for each sample"):
        read_given(TASKS["inpaint"], picture(8, 8), [torch.ones(8, 8)] * 2, None)


def test_without_a_mask_everything_is_a_hole():
    masked, mask = hole_in(conditions(None, SQUARE, 16))
    assert (masked == HOLE).all()
    assert (mask == 1).all()


def test_known_pixels_come_back_around_the_hole_of_every_draw():
    mask = torch.zeros(32, 32)
    mask[:, :5] = 1
    image, drawn = picture(32, 32), torch.zeros(4, 3, 32, 32)
    shown = conditions(read_given(TASKS["inpaint"], image, mask, None), SQUARE, 16)
    pasted = with_known(drawn, shown.whole, shown.mask)
    assert torch.equal(pasted[..., :5], drawn[..., :5])
    assert torch.equal(pasted[3, ..., 5:], image[..., 5:] * 2 - 1)
