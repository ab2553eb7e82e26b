"""Pictures and masks as people hand them over, to tensors of one kind: RGB in [-1, 1], and masks of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Picture: TypeAlias = PIL.Image.Image | np.ndarray | Tensor
"""A picture, or a mask, as the pipelines of diffusers take them: PIL; an array by (row, column, colour); a tensor by
(colour, row, column). Numbers are uint8 in [0, 255], or floats in [0, 1]; masks may be boolean and have no colours."""

Pictures: TypeAlias = Picture | Sequence[Picture | Sequence[Picture]]
"""One or several of them; what a list means is said by ``by_sample``."""

Rgb: TypeAlias = Float[Tensor, "3 _ _"]
Mask: TypeAlias = Float[Tensor, "1 _ _"]


def by_sample(given: Pictures, num_prompts: int | None) -> list[list[Picture]]:
    """The pictures of each sample.

    With one prompt that is not in a list (None), a list is several pictures of that one sample. With a list of prompts
    it has one entry for each, a picture or a list of pictures; a single picture serves all, and is returned as one
    sample. An array or a tensor of four axes counts as a list.

    Raises:
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
    """In [-1, 1], float32; transparency is dropped.

    Raises:
        ValueError: the shape or the range is not a picture's.
    """
    if isinstance(picture, PIL.Image.Image):
        picture = np.asarray(picture.convert("RGB"))
    values = _from_zero_to_one(picture)
    if isinstance(picture, np.ndarray) and values.ndim == 3:
        values = values.permute(2, 0, 1)
    if values.ndim != 3 or values.shape[0] != 3:
        raise ValueError(f"an image is (height, width, 3), or a tensor (3, height, width): got {tuple(picture.shape)}")
    return values * 2 - 1


def to_mask(picture: Picture) -> Mask:
    """1 where it is white, of 0.5 or more: there is the hole.

    Raises:
        ValueError: the shape or the range is not a mask's.
    """
    if isinstance(picture, PIL.Image.Image):
        picture = np.asarray(picture.convert("L"))
    values = _from_zero_to_one(picture)
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[-1]):
        values = values.squeeze(0 if values.shape[0] == 1 else -1)
    if values.ndim != 2:
        raise ValueError(f"a mask is (height, width): got {tuple(picture.shape)}")
    return (values >= 0.5).float()[None]


def resized(picture: Rgb, height: int, width: int) -> Rgb:
    """Bicubic, averaging where it shrinks; of the same size, untouched."""
    return _resize(picture, height, width, "bicubic").clamp(-1, 1)


def resized_mask(mask: Mask, height: int, width: int) -> Mask:
    """A pixel is in the hole if at least half of it is."""
    return (_resize(mask, height, width, "bilinear") >= 0.5).float()


def _resize(values: Tensor, height: int, width: int, mode: str) -> Tensor:
    if values.shape[1:] == (height, width):
        return values
    return functional.interpolate(values[None], (height, width), mode=mode, antialias=True)[0]


def _listed(given: Any) -> list[Any]:
    return [given] if _is_one(given) else list(given)


def _is_one(given: Any) -> bool:
    """Whether this is a single picture, not several."""
    return isinstance(given, PIL.Image.Image) or (isinstance(given, np.ndarray | Tensor) and given.ndim < 4)


def _from_zero_to_one(picture: np.ndarray | Tensor) -> Tensor:
    values = picture.cpu() if isinstance(picture, Tensor) else torch.from_numpy(np.array(picture))
    if values.dtype == torch.uint8:
        return values.float() / 255
    values = values.float()
    if values.numel() and (values.min() < 0 or values.max() > 1):
        raise ValueError(f"expected numbers in [0, 1], or uint8: got {values.min():.3g} to {values.max():.3g}")
    return values
