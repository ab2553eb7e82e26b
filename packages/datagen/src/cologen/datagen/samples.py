"""From a manifest's row to pixels: the only room that knows how a task looks.

A sample is what the model learns from: given ``source`` and ``prompt`` it shall paint ``target``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cologen.datagen import images, rle
from cologen.datagen.grounding import marks
from cologen.datagen.images import Picture
from cologen.datagen.rle import Mask

HOLE = 128  # mid-grey in pixel space; SPEC 2.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training sample in pixels: RGB in [0, 255].

    ``mask`` is 1 where the target has to be made up; None where the task has no such place.
    """

    source: Picture
    target: Picture
    prompt: str
    mask: Mask | None = None


def render(row: Mapping[str, Any], root: Path) -> Sample:
    """The sample of a manifest's row; the pictures lie under ``root``.

    Raises:
        RejectedError: the picture is missing, damaged or of another size than the row says.
        ValueError: the row's task is not one that has pixels.
    """
    if row["task"] not in _RENDERERS:
        raise ValueError(f"cannot render a row of task {row['task']!r}; expected one of {', '.join(_RENDERERS)}")
    picture = images.decode(images.read_bytes(root, row["image_uri"]), (row["width"], row["height"]))
    return _RENDERERS[row["task"]](row, picture)


def _inpaint(row: Mapping[str, Any], picture: Picture) -> Sample:
    """The picture, and the same picture with the mask's pixels grey."""
    mask = rle.decode(row["mask_rle"], row["height"], row["width"])
    source = picture.copy()
    source[mask.astype(bool)] = HOLE
    return Sample(source=source, target=picture, prompt=row["caption"], mask=mask)


def _grounding(row: Mapping[str, Any], picture: Picture) -> Sample:
    """The picture, and the same picture with the row's marks; the other way round where they are to be removed."""
    source, target = marks.source_and_target(picture, row)
    return Sample(source=source, target=target, prompt=row["caption"])


_RENDERERS: dict[str, Callable[[Mapping[str, Any], Picture], Sample]] = {"inpaint": _inpaint, "grounding": _grounding}
