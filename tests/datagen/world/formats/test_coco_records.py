from __future__ import annotations

import numpy as np

from cologen.datagen import rle
from cologen.datagen.world.formats.coco_records import info, picture, thing
from cologen.datagen.world.formats.drawing import Drawing


def test_a_thing_is_exactly_its_visible_mask(drawings: list[Drawing]) -> None:
    for drawing in drawings[:10]:
        size = (drawing.world.height, drawing.world.width)
        for rank, mask in enumerate(drawing.rendering.masks):
            record = thing(drawing, rank, 7)
            counts = rle.from_polygons(record["segmentation"], *size)
            np.testing.assert_array_equal(rle.decode(counts, *size), mask)
            box = rle.box(counts, *size)
            assert record["bbox"] == [box.x0, box.y0, box.width, box.height]
            assert (record["area"], record["category_id"]) == (mask.sum(), 7)
            assert record["image_id"] == picture(drawing, "a/b.jpg")["id"] == drawing.index + 1


def test_heads_name_their_layout_and_urls_end_in_the_path(drawings: list[Drawing]) -> None:
    assert "LVIS" in info("LVIS v1")["description"]
    record = picture(drawings[0], "train2017/x.jpg")
    assert record["coco_url"].endswith("/train2017/x.jpg")
    assert (record["width"], record["height"]) == (96, 64)
