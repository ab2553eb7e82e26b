"""From a manifest's row to pixels: the only room that knows how a task looks.

A sample is what the model learns from: given ``source`` and ``prompt`` it shall paint ``target``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cologen.datagen import images, rle
from cologen.datagen.images import Picture
from cologen.datagen.rle import Mask

HOLE = 128  # mid-grey in pixel space; SPEC 2.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training sample in pixels: RGB in [0, 255]; ``mask`` is 1 where the target has to be made up."""

    source: Picture
    target: Picture
    prompt: str
    mask: Mask


def render(row: Mapping[str, Any], root: Path) -> Sample:
    """The sample of an inpainting row: its picture, and the same picture with the mask's pixels grey.

    Raises:
        RejectedError: the picture is missing, damaged or of another size than the row says.
        ValueError: the row's task is not one that has pixels.
    """
    if row["task"] != "inpaint":
        raise ValueError(f"cannot render a row of task {row['task']!r}; expected 'inpaint'")
    width, height = row["width"], row["height"]
    target = images.decode(images.read_bytes(root, row["image_uri"]), (width, height))
    mask = rle.decode(row["mask_rle"], height, width)
    source = target.copy()
    source[mask.astype(bool)] = HOLE
    return Sample(source=source, target=target, prompt=row["caption"], mask=mask)
