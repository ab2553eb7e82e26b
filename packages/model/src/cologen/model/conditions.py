"""From a task and its pictures to the model's inputs in pixels: sources resized, holes filled with grey."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.utils import logging
from jaxtyping import Float
from torch import Tensor

from cologen.model.pictures import Mask, Pictures, Rgb, by_sample, resized, resized_mask, to_mask, to_rgb
from cologen.model.tasks import TASKS, Task, task_named
from cologen.pictures.masks import HOLE_GREY

logger = logging.get_logger(__name__)

MAX_STRETCH = 1 / 16
"""How much the proportions of a picture and its result may differ: as much as those of a condition in training."""
HOLE = HOLE_GREY / 255 * 2 - 1
"""The grey of a hole in [-1, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of the result, in pixels."""

    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The pictures of a call as given: one sample for all prompts, or one for each.

    Without a task the picture is where denoising starts, and no source.
    """

    task: Task | None
    images: list[list[Rgb]]
    masks: list[Mask] | None

    @property
    def aligned(self) -> bool:
        """Whether the pictures match the result pixel by pixel."""
        return self.task is None or self.task.aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The model's inputs for a result of ``size``, RGB in [-1, 1]; empty where no image was given.

    ``sources[k]`` is the k-th source of every sample, ``whole`` its first picture without a hole, ``mask`` 1 in the
    hole. A batch of one serves all samples.
    """

    size: Size
    sources: tuple[Float[Tensor, "_ 3 _ _"], ...] = ()
    whole: Float[Tensor, "_ 3 height width"] | None = None
    mask: Float[Tensor, "_ 1 height width"] | None = None


def task_for(name: str | None, image: Pictures | None, mask: Pictures | None, strength: float = 1.0) -> Task | None:
    """The task of that name, if its inputs are given; None for text-to-image, and for image-to-image without a source.

    Raises:
        ValueError: there is no such task, an input of it is missing, or an input is given that it does not use.
    """
    if not 0 < strength <= 1:
        raise ValueError(f"strength must be above 0 and at most 1, got {strength}")
    if strength < 1 and image is None:
        raise ValueError("a strength below 1 starts from an image: give one")
    if name is None:
        if image is not None and strength == 1:
            raise ValueError(
                f"say what the image is for: task is one of {', '.join(TASKS)}, or give a strength below 1 to start "
                "from it"
            )
        if mask is not None:
            raise ValueError("a mask needs an image, and task='inpaint'")
        return None
    task = task_named(name)
    if image is None:
        raise ValueError(f"the task {task.name} needs an image")
    if task.masked and mask is None:
        raise ValueError(f"the task {task.name} needs a mask beside the image")
    if not task.masked and mask is not None:
        raise ValueError(f"the task {task.name} takes no mask")
    if strength < 1 and not task.resembles:
        known = ", ".join(each.name for each in TASKS.values() if each.resembles)
        raise ValueError(f"strength is for results that resemble the image ({known}): the task {task.name} takes none")
    return task


def read_given(task: Task | None, image: Pictures, mask: Pictures | None, num_prompts: int | None) -> Given:
    """The pictures in tensors; ``num_prompts`` as in ``by_sample``.

    Raises:
        ValueError: one is of a wrong shape or range, there is not one for each prompt, there are several without a
            task, or a mask is not of its image's size.
    """
    images = [[to_rgb(each) for each in sample] for sample in by_sample(image, num_prompts)]
    if task is None and len(images[0]) != 1:
        raise ValueError(f"image-to-image starts from one image: got {len(images[0])} for a prompt")
    if mask is None:
        return Given(task=task, images=images, masks=None)
    masks = by_sample(mask, num_prompts)
    if any(len(sample) != 1 for sample in masks):
        raise ValueError("give one mask for each sample: it belongs to its first image")
    given = Given(task=task, images=images, masks=[to_mask(sample[0]) for sample in masks])
    _check_masks(given)
    return given


def usual_size(given: Given | None, side: int) -> Size:
    """The first image's size, shrunk to an area of at most ``side²``, if the task is aligned; else that square."""
    if given is None or not given.aligned:
        return Size(height=side, width=side)
    height, width = given.images[0][0].shape[1:]
    scale = min(1.0, side / (height * width) ** 0.5)
    return Size(height=round(height * scale), width=round(width * scale))


def chosen_size(given: Given | None, side: int, height: int | None, width: int | None) -> Size:
    """The size asked for; a side that is left out keeps the image's proportions, or is that of ``usual_size``."""
    usual = usual_size(given, side)
    if given is not None and given.aligned:
        if height is not None and width is None:
            width = round(usual.width * height / usual.height)
        elif width is not None and height is None:
            height = round(usual.height * width / usual.width)
    return Size(height=usual.height if height is None else height, width=usual.width if width is None else width)


def rounded(size: Size, multiple: int) -> Size:
    """Both sides rounded down to a multiple, as FLUX does.

    Raises:
        ValueError: a side is smaller than that.
    """
    if min(size.height, size.width) < multiple:
        raise ValueError(f"height and width must be at least {multiple}, got {size.height} and {size.width}")
    return Size(height=size.height // multiple * multiple, width=size.width // multiple * multiple)


def conditions(given: Given | None, size: Size, multiple: int) -> Conditions:
    """Bring the pictures to their sizes, and the hole to grey.

    A picture that is aligned with the result is resized to the result's size, as in FLUX's own pipelines; a warning
    says where that changes its proportions. A subject is resized to fit into the result and keeps its proportions, up
    to the rounding to ``multiple``.

    Raises:
        ValueError: aligned pictures of one call differ in proportions, the k-th subjects of a batch would get different
            sizes, or a hole vanishes at this size.
    """
    if given is None:
        return Conditions(size=size)
    if given.aligned:
        _check_proportions(given, size)
    sources = [_batch(given, number, size, multiple) for number in range(len(given.images[0]))]
    whole = sources[0]
    if given.task is None:
        return Conditions(size=size, whole=whole)
    if given.masks is None:
        return Conditions(size=size, sources=tuple(sources), whole=whole)
    mask = torch.stack([resized_mask(each, size.height, size.width) for each in given.masks])
    if not mask.flatten(1).any(dim=1).all():
        raise ValueError(f"a hole vanishes at {size.width} x {size.height}: give a larger mask, height or width")
    sources[0] = torch.where(mask > 0, HOLE, whole)
    return Conditions(size=size, sources=tuple(sources), whole=whole, mask=mask)


def hole_in(shown: Conditions) -> tuple[Float[Tensor, "_ 3 height width"], Float[Tensor, "_ 1 height width"]]:
    """The picture that a Fill base paints into, and its mask; without a mask the whole picture is a hole."""
    if shown.mask is None:
        empty = torch.full((1, 3, shown.size.height, shown.size.width), HOLE)
        return empty, torch.ones_like(empty[:, :1])
    return shown.sources[0], shown.mask


def with_known(
    pixels: Float[Tensor, "draws 3 height width"],
    whole: Float[Tensor, "_ 3 height width"],
    mask: Float[Tensor, "_ 1 height width"],
) -> Float[Tensor, "draws 3 height width"]:
    """``pixels`` in the hole, and around it those of the ``whole`` picture, whose float32 no half precision rounds."""
    pixels = pixels.float()
    whole, mask = (each.to(pixels.device).repeat_interleave(len(pixels) // len(each), dim=0) for each in (whole, mask))
    return torch.where(mask > 0, pixels, whole)


def _batch(given: Given, number: int, size: Size, multiple: int) -> Float[Tensor, "batch 3 _ _"]:
    pictures = [sample[number] for sample in given.images]
    sizes = [size if given.aligned else _fitting(picture, size, multiple) for picture in pictures]
    if len(set(sizes)) > 1:
        shapes = ", ".join(f"{each.width} x {each.height}" for each in sizes)
        raise ValueError(
            f"image {number + 1} of every sample must have the same proportions: they come out as {shapes}"
        )
    return torch.stack([resized(each, sizes[0].height, sizes[0].width) for each in pictures])


def _check_proportions(given: Given, size: Size) -> None:
    """Refuse pictures of one call that no single size fits; warn where the size asked for squeezes them all."""
    pictures = [picture for sample in given.images for picture in sample]
    first = pictures[0].shape
    for number, picture in enumerate(pictures[1:], start=2):
        if _stretch(picture.shape[1], picture.shape[2], first[1], first[2]) > MAX_STRETCH:
            raise ValueError(
                f"image {number} is {picture.shape[2]} x {picture.shape[1]}, image 1 {first[2]} x {first[1]}: the "
                "results of one call have one size. Crop the images to the same proportions, or call once for each"
            )
    if _stretch(first[1], first[2], size.height, size.width) > MAX_STRETCH:
        logger.warning(
            f"An image of {first[2]} x {first[1]} is squeezed to {size.width} x {size.height}: give a height and "
            "width of its proportions, or only one of them, to keep its shapes."
        )


def _stretch(height: int, width: int, other_height: int, other_width: int) -> float:
    """The factor by which the proportions differ, minus 1."""
    ratio = height * other_width / (width * other_height)
    return max(ratio, 1 / ratio) - 1


def _fitting(picture: Rgb, size: Size, multiple: int) -> Size:
    """The largest size of a picture's proportions within ``size``, in multiples."""
    height, width = picture.shape[1:]
    scale = min(size.height / height, size.width / width)
    sides = (max(multiple, round(side * scale / multiple) * multiple) for side in (height, width))
    return Size(**dict(zip(("height", "width"), sides, strict=True)))


def _check_masks(given: Given) -> None:
    masks = given.masks or []
    for i in range(max(len(given.images), len(masks))):
        picture, mask = given.images[i % len(given.images)][0], masks[i % len(masks)]
        if picture.shape[1:] != mask.shape[1:]:
            (height, width), (mask_height, mask_width) = picture.shape[1:], mask.shape[1:]
            raise ValueError(f"the mask is {mask_width} x {mask_height}, its image {width} x {height}: make them equal")
