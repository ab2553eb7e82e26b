"""The same picture is the same tensor, in whichever form it is handed over."""

import numpy as np
import pytest
import torch
from PIL import Image

from cologen.model.pictures import by_sample, resized, resized_mask, to_mask, to_rgb

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
PIL = Image.fromarray(PIXELS)


def test_all_forms_of_a_picture_are_one():
    expected = torch.from_numpy(PIXELS).permute(2, 0, 1).float() / 127.5 - 1
    forms = [
        PIL,
        PIL.convert("RGBA"),
        PIXELS,
        PIXELS.astype(np.float32) / 255,
        torch.from_numpy(PIXELS).permute(2, 0, 1),
        torch.from_numpy(PIXELS).permute(2, 0, 1).double() / 255,
    ]
    for form in forms:
        torch.testing.assert_close(to_rgb(form), expected, rtol=0, atol=1e-6)


def test_all_forms_of_a_mask_are_one():
    hole = PIXELS[..., 0] >= 128
    white = np.where(hole, 255, 0).astype(np.uint8)
    tensor = torch.from_numpy(hole)
    for form in (hole, white, white[..., None], Image.fromarray(white), tensor, tensor[None].float()):
        assert torch.equal(to_mask(form), torch.from_numpy(hole).float()[None])


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((4, 6, 5)), r"an image is \(height, width\) or \(height, width, 1 to 4\)"),
        (torch.full((3, 4, 6), float("nan")), "72 are NaN"),
        (torch.zeros(3, 4, 6, dtype=torch.int64), "expected uint8, uint16, bool, or floats"),
        (torch.zeros(4, 6, 3), r"got \(4, 6, 3\)"),
        (torch.full((3, 4, 6), -1.0), r"expected numbers in \[0, 1\], or uint8: got -1 to -1"),
    ],
)
def test_what_is_no_picture_is_refused(picture: object, message: str):
    with pytest.raises(ValueError, match=message):
        to_rgb(picture)
    with pytest.raises(ValueError, match="a mask is"):
        to_mask(np.zeros((4, 6, 3)))


@pytest.mark.parametrize("given", ["in.png", 7, {"image": PIL}, [PIL, "in.png"]])
def test_what_is_no_list_of_pictures_is_refused(given: object):
    with pytest.raises(TypeError):
        [to_rgb(each) for each in by_sample(given, None)[0]]


def test_grey_and_alpha_come_as_arrays_and_as_tensors():
    for channels in (1, 2, 4):
        values = np.concatenate([PIXELS, PIXELS[..., :1]], axis=2)[..., :channels]
        tensor = torch.from_numpy(values).permute(2, 0, 1)
        assert torch.equal(to_rgb(values), to_rgb(tensor))
        torch.testing.assert_close(to_rgb(tensor.bfloat16() / 255), to_rgb(tensor), rtol=0, atol=0.03)
    assert torch.equal(to_rgb(PIXELS[..., 0]), to_rgb(torch.from_numpy(PIXELS[..., 0])))


def test_a_list_is_several_pictures_of_one_prompt_or_one_for_each_of_several():
    a, b = PIL, PIXELS
    assert by_sample(a, None) == [[a]]
    assert by_sample([a, a], None) == [[a, a]]
    assert by_sample(a, 2) == [[a]]
    assert len(by_sample([a, b], 2)) == 2
    assert [len(sample) for sample in by_sample([[a, b], [b, a]], 2)] == [2, 2]
    assert len(by_sample(torch.zeros(2, 3, 4, 6), 2)) == 2
    assert len(by_sample(torch.zeros(2, 3, 4, 6), None)[0]) == 2


@pytest.mark.parametrize(
    ("given", "num_prompts", "message"),
    [
        ([PIL], 2, "1 images for 2 prompts"),
        ([PIL, PIL, PIL], 2, "3 images for 2 prompts"),
        ([[PIL, PIL], [PIL]], 2, r"equally many images, at least one: got \[2, 1\]"),
        ([], None, r"at least one: got \[0\]"),
    ],
)
def test_pictures_that_do_not_go_with_the_prompts_are_refused(given: list, num_prompts: int | None, message: str):
    with pytest.raises(ValueError, match=message):
        by_sample(given, num_prompts)


def test_resizing_to_its_own_size_changes_nothing_and_stays_in_range():
    picture = to_rgb(PIL)
    assert torch.equal(resized(picture, 4, 6), picture)
    assert resized(picture, 9, 5).abs().max() <= 1


def test_a_resized_mask_has_ones_and_zeros_only():
    mask = torch.zeros(1, 8, 8)
    mask[:, :4] = 1
    assert torch.equal(resized_mask(mask, 4, 4)[0, :, 0], torch.tensor([1.0, 1, 0, 0]))
    assert set(resized_mask(mask, 5, 7).unique().tolist()) == {0.0, 1.0}
