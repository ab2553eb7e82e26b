"""Every picture is on the sheet, small ones in sharp pixels, large ones shrunk, and the words below."""

import io

import numpy as np
import pytest
from PIL import Image

from cologen.reports.contact_sheet import TILE, Row, contact_sheet, png


def picture(height: int, width: int, shade: int = 200) -> np.ndarray:
    return np.full((height, width, 3), (shade, 10, 10), np.uint8)


@pytest.mark.parametrize("num_rows", [1, 2, 5])
def test_all_pictures_are_there(num_rows: int):
    rows = [Row({"source": picture(32, 32), "target": picture(32, 32)}, ("words",)) for _ in range(num_rows)]
    sheet = np.asarray(contact_sheet(rows))
    assert (sheet == (200, 10, 10)).all(axis=-1).sum() == num_rows * 2 * TILE * TILE


def test_wide_and_large_pictures_keep_their_proportions():
    sheet = np.asarray(contact_sheet([Row({"target": picture(300, 600)}, ("",))]))
    inside = (sheet == (200, 10, 10)).all(axis=-1)
    assert (inside.any(axis=0).sum(), inside.any(axis=1).sum()) == (TILE, TILE // 2)


def test_small_pictures_stay_sharp():
    checkered = np.indices((16, 16)).sum(axis=0) % 2 * 255
    sheet = np.asarray(contact_sheet([Row({"target": np.repeat(checkered[..., None], 3, 2).astype(np.uint8)}, ("",))]))
    tile = sheet[30 : 30 + TILE, 20 : 20 + TILE]
    assert (tile[7::14, 7::14] == np.repeat(checkered[..., None], 3, 2)).all()
    assert set(np.unique(tile)) == {0, 255}


def test_long_words_take_lines_but_not_all():
    heights = [
        contact_sheet([Row({"target": picture(32, 32)}, ("word " * count,))]).height for count in (1, 12, 200, 900)
    ]
    assert heights[0] < heights[1] <= heights[2] == heights[3]


@pytest.mark.parametrize("letters", ["w", "i", "ice ", "wow ", "一只猫"])
def test_lines_are_filled_and_none_is_cut_off(letters: str):
    row = Row({"source": picture(32, 32), "target": picture(32, 32)}, (letters * 300,))
    dark = np.asarray(contact_sheet([row]).convert("L"))[30 + TILE :] < 128
    width = 2 * TILE + 8
    assert 20 + 0.9 * width < np.flatnonzero(dark.any(axis=0)).max() < 20 + width


def test_the_file_is_the_sheet():
    sheet = contact_sheet([Row({"target": picture(32, 32)}, ("ein Würfel – dé",))])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(sheet)))), np.asarray(sheet))


def test_each_paragraph_begins_a_line():
    one, two = (contact_sheet([Row({"target": picture(32, 32)}, words)]) for words in (("a b",), ("a", "b")))
    assert two.height > one.height
