"""Curves are well-formed SVG whose points stand where their numbers say."""

from xml.etree import ElementTree

import pytest

from cologen.reports.curves import curve, ordered_curves


def lines(svg: str) -> list[list[tuple[float, float]]]:
    found = ElementTree.fromstring(svg).findall("polyline")
    return [[tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()] for line in found]  # type: ignore[misc]


def test_values_stand_between_floor_and_top():
    (drawn,) = lines(curve([(0.0, 0.0), (5.0, 0.5), (10.0, 1.0)], end=10, low=0.0, high=1.0))
    assert drawn == [(46.0, 174.0), (237.0, 93.0), (428.0, 12.0)]


def test_what_was_asked_for_is_a_dashed_line():
    svg = curve([(0.0, 0.2), (10.0, 0.4)], end=10, low=0.0, high=1.0, reference=0.8)
    asked, drawn = lines(svg)
    assert "stroke-dasharray" in svg
    assert asked[0][1] == asked[1][1] < min(y for _, y in drawn)


def test_many_values_get_a_running_mean():
    points = [(float(step), float(step % 2)) for step in range(60)]
    pale, full = lines(curve(points, end=60))
    assert len(pale) == len(full) == 60
    middle = [y for _, y in full[10:50]]
    assert max(middle) - min(middle) < 0.3 * (max(y for _, y in pale) - min(y for _, y in pale))


def test_long_logs_are_thinned_to_means():
    points = [(float(step), 1.0) for step in range(100_000)]
    svg = curve(points, end=100_000)
    assert len(lines(svg)[0]) <= 300
    assert len(svg) < 20_000


@pytest.mark.parametrize("points", [[], [(5.0, 0.2)], [(0.0, 3.0), (1.0, 3.0)], [(0.0, -1e-9), (1.0, 1e9)]])
def test_little_to_draw_is_drawn_all_the_same(points: list[tuple[float, float]]):
    svg = curve(points, end=10)
    assert ElementTree.fromstring(svg).findall("line")
    assert "nan" not in svg
    assert ("<circle" in svg) == (len(points) == 1)


def test_several_curves_share_an_axis_and_are_named_in_their_order():
    svg = ordered_curves({"one": [(0.0, 1.0), (10.0, 2.0)], "two <": [(0.0, 3.0), (10.0, 4.0)]}, end=10, low=0.0)
    one, two = lines(svg)
    assert [y for _, y in one] > [y for _, y in two]  # lower in the picture
    root = ElementTree.fromstring(svg)
    assert [each.text for each in root.findall("text")][-2:] == ["one", "two <"]
    colors = [each.attrib["stroke"] for each in root.findall("polyline")]
    assert colors == [each.attrib["fill"] for each in root.findall("rect")] and len(set(colors)) == 2
