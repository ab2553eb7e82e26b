"""Inpainting: whether what a hole hid is there again, and everything else is as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene
from cologen.evaluation.metrics.pixels import pixels_of, size_of
from cologen.evaluation.records import Picture, Region
from cologen.evaluation.worldbench.differences import signed_l1
from cologen.evaluation.worldbench.matching import as_stated, matched
from cologen.evaluation.worldbench.reading import Reading, ReadObject, read
from cologen.evaluation.worldbench.statements import StatedObject

HIDDEN = 0.5
"""The share of an object's visible pixels that are in the hole, from which on it is hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleValues:
    """Of one picture.

    ``hidden`` is the share of the hidden objects that are read with their shape and colour in the hole; None where the
    hole hides none. ``nothing_added`` is 1 if the ground is the scene's and the hole has no more objects than it hid.
    These are in [0, 1], higher is better. ``l1_outside`` is the mean difference from the original outside the hole, in
    the range [-1, 1] of pixels, so in [0, 2]; None where the hole is everywhere.
    """

    hidden: float | None
    nothing_added: float
    l1_outside: float | None


def inpainted(output: Picture, original: Picture, hole: Region, scene: Scene) -> HoleValues:
    """The picture against the scene that the hole was cut from; all are of one size."""
    height, width = original.shape[:2]
    masks = render(scene, width, height).masks
    hidden = [thing for thing, mask in zip(scene.objects, masks, strict=True) if _share_inside(mask, hole) >= HIDDEN]
    reading = read(output, scene.level)
    there = _in_hole(reading, hole)
    wanted = [StatedObject(shape=thing.shape, color=thing.color) for thing in hidden]
    found = sum(partner is not None for partner in matched(wanted, there, as_stated))
    outside = signed_l1(output, original, pixels_of(hole, size_of(original), "outside"))
    return HoleValues(
        hidden=found / len(hidden) if hidden else None,
        nothing_added=float(reading.ground == scene.ground and len(there) <= len(hidden)),
        l1_outside=outside,
    )


def _share_inside(mask: Region, hole: Region) -> float:
    return float(np.count_nonzero(mask & hole) / max(np.count_nonzero(mask), 1))


def _in_hole(reading: Reading, hole: Region) -> tuple[ReadObject, ...]:
    """Those of which more than half of the pixels are in the hole."""
    return tuple(each for each in reading.objects if (each.mask & hole.astype(bool)).sum() > HIDDEN * each.mask.sum())
