import numpy as np

from cologen.datagen import rle
from cologen.datagen.datasets.files import regions


def test_values_are_those_that_occur() -> None:
    assert regions.values(np.array([[0, 7, 7], [255, 3, 0]], dtype=np.uint8)) == [0, 3, 7, 255]


def test_a_whole_mask_keeps_its_pixels_and_tight_box() -> None:
    mask = np.zeros((30, 50), dtype=np.uint8)
    mask[4:9, 10:13] = mask[20, 40] = 1
    item = regions.whole(mask, "cup", "thing")
    np.testing.assert_array_equal(rle.decode(item.rle, 30, 50), mask)
    assert item.box.xyxy() == (10.0, 4.0, 41.0, 21.0)


def test_connected_regions_part_a_mask_without_its_specks() -> None:
    mask = np.zeros((100, 200), dtype=np.uint8)
    mask[10:30, 20:60] = mask[30:50, 60:90] = 1  # they touch at a corner: one region
    mask[80:90, 150:200] = 1
    mask[95, 3:22] = 1  # 19 of 20,000 pixels: a speck
    mask[99, 100:120] = 1  # 20: a region
    found = list(regions.connected(mask, "sea", "stuff"))
    assert sorted(rle.area(item.rle) for item in found) == [20, 500, 1400]
    together = sum(rle.decode(item.rle, 100, 200).astype(int) for item in found)
    mask[95, 3:22] = 0
    np.testing.assert_array_equal(together, mask)
    assert {(item.noun, item.kind) for item in found} == {("sea", "stuff")}
