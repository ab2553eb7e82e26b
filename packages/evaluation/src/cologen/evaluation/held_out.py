"""Measures of held-out samples for training, which finds them by name as entry points (``pyproject.toml``).

They are this package's metrics against the target. Each takes pictures of one size and returns its value by name, or
nothing where the value means nothing. ``mask`` is 1 where the output had to be made up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from cologen.evaluation.metrics import pixels, structure
from cologen.evaluation.worldbench.matching import as_scene_object, in_place, matched
from cologen.evaluation.worldbench.reading import read

Picture = UInt8[np.ndarray, "height width 3"]
Mask = UInt8[np.ndarray, "height width"]


def l1(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The mean absolute difference of output and target, in [0, 1]; 0 is best."""
    return _named("l1", pixels.mean_absolute(output, target))


def l1_inside(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The same within the mask; nothing where it covers all of the picture, or none of it."""
    return {} if mask.all() else _named("l1_inside", pixels.mean_absolute(output, target, mask > 0))


def l1_outside(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The same outside the mask, where the picture should stay; nothing where the mask covers all, or nothing."""
    return _named("l1_outside", pixels.mean_absolute(output, target, mask == 0)) if mask.any() else {}


def ssim(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """Structural similarity of output and target, at most 1, which is best; nothing below the window's 11 pixels."""
    return {} if min(target.shape[:2]) < structure.WINDOW else _named("ssim", structure.ssim(output, target))


def objects(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The share of a synthetic target's objects that the output has in shape, colour and place, as both are read.

    Nothing where the target is no plain picture of the synthetic dataset, or shows no object.
    """
    wanted = read(target, "simple")
    clear = [each for each in wanted.objects if each.shape is not None]
    if wanted.ground is None or not clear or len(clear) < len(wanted.objects):
        return {}
    partners = matched(clear, read(output, "simple").objects, lambda one, other: in_place(as_scene_object(one), other))
    return _named("objects", sum(partner is not None for partner in partners) / len(clear))


def _named(name: str, value: float | None) -> Mapping[str, float]:
    return {} if value is None else {name: value}
