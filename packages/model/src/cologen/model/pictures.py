"""Pictures and masks of any accepted type to tensors: RGB in [-1, 1], and masks of 0 and 1.

The rules are those of ``cologen.pictures``, as for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cologen.pictures import masks, rgb

Picture: TypeAlias = PIL.Image.Image | np.ndarray | Tensor
"""A picture, or a mask, as the pipelines of diffusers take them: PIL; an array by (row, column) or (row, column,
channel); a tensor by (row, column) or (channel, row, column). A picture has 1 to 4 channels: grey, grey with alpha,
RGB, RGB with alpha. Numbers are uint8, uint16, bool, or floats in [0, 1]."""

Pictures: TypeAlias = Picture | Sequence[Picture | Sequence[Picture]]
"""One or several of them; ``by_sample`` explains what a list means."""

Rgb: TypeAlias = Float[Tensor, "3 _ _"]
Mask: TypeAlias = Float[Tensor, "1 _ _"]


def by_sample(given: Pictures, num_prompts: int | None) -> list[list[Picture]]:
    """The pictures of each sample.

    With one prompt that is not in a list (None), a list is several pictures of that one sample. With a list of prompts
    it has one entry for each, a picture or a list of pictures; a single picture serves all, and is returned as one
    sample. An array or a tensor of four axes counts as a list.

    Raises:
        TypeError: it is neither pictures nor a list of them, such as the path of a file.
        ValueError: there are more or fewer entries than prompts, a sample without a picture, or samples that differ in
            how many they have.
    """
    samples = [_listed(entry) for entry in ([given] if num_prompts is None else _listed(given))]
    if num_prompts is not None and not _is_one(given) and len(samples) != num_prompts:
        raise ValueError(f"{len(samples)} images for {num_prompts} prompts: give one image for all, or one for each")
    counts = {len(sample) for sample in samples}
    if counts & {0} or len(counts) != 1:
        raise ValueError(f"each sample needs equally many images, at least one: got {[len(each) for each in samples]}")
    return samples


def to_rgb(picture: Picture) -> Rgb:
    """In [-1, 1], float32, by the rules of ``cologen.pictures.rgb``: upright, transparency over white.

    Raises:
        TypeError: it is no picture.
        ValueError: the shape, the type or the range is not a picture's.
    """
    _check_type(picture)
    if isinstance(picture, PIL.Image.Image):
        values = rgb.rgb(rgb.upright(picture))
    else:
        values = rgb.array_rgb(_rows_first(picture))
    found = torch.from_numpy(values).permute(2, 0, 1).contiguous()
    return (found if found.is_floating_point() else found.float() / 255) * 2 - 1


def to_mask(picture: Picture) -> Mask:
    """1 in the hole: where the mask is white (0.5 or more), or 1 if it holds only the integers 0 and 1.

    Raises:
        TypeError: it is no picture.
        ValueError: the shape, the type or the range is not a mask's, or there is no hole.
    """
    _check_type(picture)
    if isinstance(picture, PIL.Image.Image):
        found = masks.hole(picture)
    else:
        values = _rows_first(picture)
        found = masks.array_hole(_without_channel(values))
    return torch.from_numpy(found).float()[None]


def resized(picture: Rgb, height: int, width: int) -> Rgb:
    """Bicubic, antialiased when shrinking; a picture of that size is returned as it is."""
    return _resize(picture, height, width, "bicubic").clamp(-1, 1)


def resized_mask(mask: Mask, height: int, width: int) -> Mask:
    """A pixel is in the hole if at least half of it is."""
    return (_resize(mask, height, width, "bilinear") >= 0.5).float()


def _resize(values: Tensor, height: int, width: int, mode: str) -> Tensor:
    if values.shape[1:] == (height, width):
        return values
    return functional.interpolate(values[None], (height, width), mode=mode, antialias=True)[0]


def _listed(given: Any) -> list[Any]:
    if _is_one(given):
        return [given]
    if not isinstance(given, Sequence | np.ndarray | Tensor) or isinstance(given, str | bytes):
        raise TypeError(f"an image is a PIL image, an array, a tensor, or a list of them: got {type(given).__name__}")
    return list(given)


def _is_one(given: Any) -> bool:
    """Whether this is a single picture, not several."""
    return isinstance(given, PIL.Image.Image) or (isinstance(given, np.ndarray | Tensor) and given.ndim < 4)


def _check_type(picture: object) -> None:
    if not isinstance(picture, PIL.Image.Image | np.ndarray | Tensor):
        raise TypeError(f"an image is a PIL image, an array or a tensor: got {type(picture).__name__}")


def _rows_first(picture: np.ndarray | Tensor) -> np.ndarray:
    """As an array by (row, column) or (row, column, channel)."""
    if isinstance(picture, np.ndarray):
        return picture
    if picture.ndim == 3:
        if picture.shape[0] > 4 or (picture.shape[0] != 3 and picture.shape[2] in (3, 4)):
            raise ValueError(
                f"an image is (height, width, 3), or a tensor (3, height, width): got {tuple(picture.shape)}"
            )
        picture = picture.permute(1, 2, 0)
    picture = picture.detach().cpu()
    return (picture.float() if picture.is_floating_point() else picture).numpy()


def _without_channel(values: np.ndarray) -> np.ndarray:
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        return values.squeeze(0 if values.shape[0] == 1 else 2)
    return values
