"""Measures of held-out samples for training, which finds them by name as entry points (``pyproject.toml``).

They are this package's metrics against the target. Each takes pictures of one size and returns its value by name, or
nothing where the value means nothing. ``mask`` is 1 where the output had to be made up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, UInt8

from cologen.evaluation.metrics import pixels, structure
from cologen.evaluation.metrics.edges import canny_edges, edge_counts, pooled_f1
from cologen.evaluation.worldbench.differences import CHANGED, distance
from cologen.evaluation.worldbench.matching import as_scene_object, in_place, matched
from cologen.evaluation.worldbench.reading import read

Picture = UInt8[np.ndarray, "height width 3"]
Mask = UInt8[np.ndarray, "height width"]

_MOST_CHANGED = 0.5
"""The share of its pixels up to which a picture is changed, and not another one."""


def l1(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The mean absolute difference of output and target, in [0, 1]; 0 is best."""
    return _named("l1", pixels.mean_absolute(output, target))


def l1_inside(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """``l1`` within the mask; nothing where it covers all of the picture, or none of it."""
    return {} if mask.all() else _named("l1_inside", pixels.mean_absolute(output, target, mask > 0))


def l1_outside(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """``l1`` outside the mask, where the picture should stay; nothing where the mask covers all, or nothing."""
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


def change(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """Of the pixels that the target changes in the source, the share that is nearer to the target; 1 is best.

    The source itself has 0. Nothing where the target changes no pixel, or more than half, as from a control map.
    """
    if source is None or (changed := _changed(source, target)) is None:
        return {}
    nearer = distance(output, target) < distance(output, source)
    return _named("change", float(nearer[changed].mean()))


def kept(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """Of the pixels that the target leaves as in the source, the share that the output leaves too; 1 is best.

    Nothing where ``change`` has nothing.
    """
    if source is None or (changed := _changed(source, target)) is None:
        return {}
    return _named("kept", float((distance(output, source) <= CHANGED)[~changed].mean()))


def shared(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """Of the synthetic objects that source and target both show, by shape and colour, the share that the output has
    anywhere; 1 is best.

    Nothing where they have none in common, as where the source is a control map.
    """
    if source is None:
        return {}
    both = Counter(_looks(source)) & Counter(_looks(target))
    if not both:
        return {}
    return _named("shared", (both & Counter(_looks(output))).total() / both.total())


def edges(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """F1 of the canny edges of output and target, at most 1, which is best."""
    return _named("edges", pooled_f1([edge_counts(canny_edges(output), canny_edges(target))]))


def _looks(picture: Picture) -> list[tuple[str, str]]:
    return [(each.shape, each.color) for each in read(picture, "simple").objects if each.shape is not None]


def _changed(source: Picture, target: Picture) -> Bool[np.ndarray, "height width"] | None:
    """The pixels that a target changes in its source; None where it is no change of it."""
    changed = distance(source, target) > CHANGED
    return changed if 0 < changed.mean() <= _MOST_CHANGED else None


def _named(name: str, value: float | None) -> Mapping[str, float]:
    return {} if value is None else {name: value}
