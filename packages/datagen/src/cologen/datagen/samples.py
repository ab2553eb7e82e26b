"""Renders a manifest's row: source, target, mask and prompt of each task.

A sample is what the model learns from: given ``source`` and ``prompt``, paint ``target``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cologen.datagen import images, rle
from cologen.datagen.control import alignment
from cologen.datagen.control.edges import Thresholds, edges
from cologen.datagen.grounding import marks
from cologen.datagen.images import Picture
from cologen.datagen.manifest import maps
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import more_sources
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.rle import Mask
from cologen.pictures.masks import HOLE_GREY


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training sample in pixels: RGB in [0, 255].

    ``more_sources`` follow ``source`` where a sample has several, each in a size of its own.

    ``mask`` is 1 where the target has to be generated; None for tasks without a mask.

    ``online`` names the extractor (``control.hed``, ``control.lineart``) that still has to compute the source: until
    then ``source`` is the picture itself. Batching crops and resizes it as the target, and then replaces it by
    ``extractor(source)``, batched and in RGB in [0, 1].
    """

    source: Picture
    target: Picture
    prompt: str
    mask: Mask | None = None
    online: ConditionKind | None = None
    more_sources: tuple[Picture, ...] = ()


def render(row: Mapping[str, Any], root: Path, folder: Folder | None = None) -> Sample:
    """The sample of a manifest's row; the pictures are under ``root``, the manifest itself is in ``folder``.

    Source and target have one size. Only a control row with a precomputed map needs the folder.

    Raises:
        RejectedError: a picture is missing, damaged or of another size than the row says.
        ValueError: the row's task is not one that has pixels, or it needs the folder.
    """
    if row["task"] == "control":
        return _control(row, root, folder)
    if row["task"] not in _RENDERERS:
        raise ValueError(f"cannot render a row of task {row['task']!r}; expected one of {', '.join(_RENDERERS)}")
    return _RENDERERS[row["task"]](row, root)


def _picture(row: Mapping[str, Any], root: Path) -> Picture:
    return images.decode(images.read_bytes(root, row["image_uri"]), (row["width"], row["height"]))


def _inpaint(row: Mapping[str, Any], root: Path) -> Sample:
    """The picture, and the same picture with the mask's pixels grey."""
    picture = _picture(row, root)
    mask = rle.decode(row["mask_rle"], row["height"], row["width"])
    source = cv2.copyTo(picture, 1 - mask, np.full_like(picture, HOLE_GREY))
    return Sample(source=source, target=picture, prompt=row["caption"], mask=mask)


def _grounding(row: Mapping[str, Any], root: Path) -> Sample:
    """The picture, and the same picture with the row's marks; the other way round where they are to be removed."""
    source, target = marks.source_and_target(_picture(row, root), row)
    return Sample(source=source, target=target, prompt=row["caption"])


def _control(row: Mapping[str, Any], root: Path, folder: Folder | None) -> Sample:
    """The picture, and its condition in the picture's size."""
    picture = _picture(row, root)
    kind: ConditionKind = row["condition"]
    if row["online"]:
        return Sample(source=picture, target=picture, prompt=row["caption"], online=kind)
    if kind == "canny":
        found = edges(picture, Thresholds(low=row["canny_low"], high=row["canny_high"]))
        source = np.repeat(found[:, :, None], 3, axis=2)
    else:
        stored = images.decode(_map(row, root, folder), (row["condition_width"], row["condition_height"]))
        source = alignment.resized(stored, (row["width"], row["height"]), kind)
    return Sample(source=source, target=picture, prompt=row["caption"])


def _map(row: Mapping[str, Any], root: Path, folder: Folder | None) -> bytes:
    """The dataset's own map, or the precomputed one beside the row."""
    if row["map_hash"] is None:
        return images.read_bytes(root, row["condition_uri"])
    if folder is None:
        raise ValueError(f"the map of {row['sample_id']} is in the manifest's folder: give that too")
    return maps.read_map(folder, row["condition_uri"], row["map_hash"])


def _pair(row: Mapping[str, Any], root: Path) -> Sample:
    """The pictures of a pair, source and target cut from their images where the row has boxes for them."""
    more = more_sources(row)
    uris = dict.fromkeys((row["source_uri"], row["target_uri"], *more))  # one image may hold several
    whole = {uri: images.decode(images.read_bytes(root, uri)) for uri in uris}
    source = _cut(whole[row["source_uri"]], row["source_box"])
    target = _cut(whole[row["target_uri"]], row["target_box"])
    height, width = target.shape[:2]
    if (width, height) != (row["width"], row["height"]):
        detail = f"the row says {row['width']}x{row['height']}, its target is {width}x{height}"
        raise RejectedError(Reason.SIZE_MISMATCH, detail)
    return Sample(source=source, target=target, prompt=row["caption"], more_sources=tuple(whole[uri] for uri in more))


def _cut(picture: Picture, box: Sequence[float] | None) -> Picture:
    if box is None:
        return picture
    left, top, right, bottom = (int(side) for side in box)
    if not (0 <= left < right <= picture.shape[1] and 0 <= top < bottom <= picture.shape[0]):
        detail = f"box {list(box)} in an image of {picture.shape[1]}x{picture.shape[0]}"
        raise RejectedError(Reason.OUTSIDE_IMAGE, detail)
    return picture[top:bottom, left:right]


_RENDERERS: dict[str, Callable[[Mapping[str, Any], Path], Sample]] = {
    "inpaint": _inpaint,
    "grounding": _grounding,
    "customized": _pair,
    "editing": _pair,
}
