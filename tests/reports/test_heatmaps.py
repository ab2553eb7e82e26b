"""Each cell of the map is as dark as its share, and each expert has its row."""

from xml.etree import ElementTree

import numpy as np
import pytest

from cologen.reports.heatmaps import heat_map, heat_map_pixels

SPACE = "{http://www.w3.org/2000/svg}"


def test_cells_are_as_dark_as_their_shares():
    usage = np.array([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]])
    svg = ElementTree.fromstring(heat_map(usage, ("inpaint", "a <b>"), num_double=1, title="T"))
    cells = svg.findall(f"{SPACE}rect")
    assert [float(cell.attrib["fill-opacity"]) for cell in cells] == [1, 0.25, 0, 0, 0.75, 1]
    tops = [float(cell.attrib["y"]) for cell in cells]
    assert len(set(tops)) == 2
    assert tops == sorted(tops)
    titles = [cell.findtext(f"{SPACE}title") for cell in cells]
    assert titles[4] == "a <b>, block 1: 75 %"
    words = [text.text for text in svg.findall(f"{SPACE}text")]
    assert words == ["T", "inpaint", "42 %", "a <b>", "58 %", "1 double-stream", "2 single-stream"]


@pytest.mark.parametrize(("num_blocks", "num_double"), [(57, 19), (6, 3), (4, 0), (4, 4)])
def test_cells_lie_side_by_side_inside_the_picture(num_blocks: int, num_double: int):
    usage = np.full((num_blocks, 5), 0.2)
    svg = ElementTree.fromstring(heat_map(usage, ("e",) * 5, num_double=num_double))
    lefts = [float(cell.attrib["x"]) for cell in svg.findall(f"{SPACE}rect")[:num_blocks]]
    width = float(svg.findall(f"{SPACE}rect")[0].attrib["width"])
    np.testing.assert_allclose(np.diff(lefts), width, atol=0.11)
    assert lefts[-1] + width < float(svg.attrib["width"])


def test_pixels_of_a_cell_are_between_white_and_the_colour_of_a_full_one():
    usage = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    pixels = heat_map_pixels(usage, ("inpaint", "editing"), num_double=1)
    assert pixels.shape == (60, 84 + 3 * 30 + 44, 3) and pixels.dtype == np.uint8
    middles = pixels[15::30, 84 + 15 : 84 + 90 : 30]
    full, white = (66, 105, 208), (255, 255, 255)
    assert [tuple(map(int, each)) for each in middles[0]] == [full, (160, 180, 232), white]
    assert [tuple(map(int, each)) for each in middles[1]] == [white, (160, 180, 232), full]
