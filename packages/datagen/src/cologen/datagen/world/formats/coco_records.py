"""The records that every annotation file of COCO's family has: pictures, things as polygons, and the file's head."""

from __future__ import annotations

from typing import Any

import cv2

from cologen.datagen.rle import Mask
from cologen.datagen.world.formats.drawing import Drawing
from cologen.datagen.world.formats.tracing import polygons

DATE = "2000-01-01 00:00:00"
LICENSES = [{"url": "http://www.apache.org/licenses/LICENSE-2.0", "id": 1, "name": "Apache License 2.0"}]

Record = dict[str, Any]


def info(format_: str) -> Record:
    """What a file says of itself."""
    return {
        "description": f"The synthetic world in the layout of {format_}.",
        "url": "http://world.invalid",
        "version": "1.0",
        "year": 2000,
        "contributor": "CoLoGen",
        "date_created": DATE,
    }


def picture(drawing: Drawing, path: str) -> Record:
    """The picture of a scene, whose URL ends in ``path``; ids count from 1."""
    return {
        "license": 1,
        "coco_url": f"http://world.invalid/{path}",
        "height": drawing.world.height,
        "width": drawing.world.width,
        "date_captured": DATE,
        "flickr_url": f"http://world.invalid/{path}",
        "id": drawing.index + 1,
    }


def thing(drawing: Drawing, rank: int, category_id: int) -> Record:
    """The visible part of the object at ``rank`` of a scene, which is not empty."""
    mask: Mask = drawing.rendering.masks[rank]
    x, y, width, height = (float(side) for side in cv2.boundingRect(mask))
    image_id = drawing.index + 1
    return {
        "segmentation": polygons(mask),
        "area": float(mask.sum()),
        "image_id": image_id,
        "bbox": [x, y, width, height],
        "category_id": category_id,
        "id": image_id * 100 + rank,
    }
