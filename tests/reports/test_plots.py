"""Plots are well-formed SVG whose marks stand where their numbers say."""

from xml.etree import ElementTree

import numpy as np
import pytest

from cologen.reports import plots

FLOOR, TOP = 142.0, 28.0  # the axis, and the height of a share of 1


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall(tag)


def number(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name])


def points(line: ElementTree.Element) -> np.ndarray:
    return np.array([[float(value) for value in pair.split(",")] for pair in line.attrib["points"].split()])


def test_shares_stand_as_high_as_they_are_and_on_the_axis():
    svg = plots.shares({"random": 0.2, "object": 0.8}, {"random": 1, "object": 3})
    bars = elements(svg, "rect")
    heights = [number(bar, "height") / (FLOOR - TOP) for bar in bars]
    np.testing.assert_allclose(heights, [0.2, 0.25, 0.8, 0.75], atol=1e-3)
    assert all(number(bar, "y") + number(bar, "height") == pytest.approx(FLOOR) for bar in bars)
    assert [text.text for text in elements(svg, "text")] == ["random", "20 → 25.00 %", "object", "80 → 75.00 %"]
    asked, achieved = bars[:2]
    assert number(asked, "fill-opacity") < number(achieved, "fill-opacity")


def test_bars_stand_side_by_side_inside_the_picture():
    svg = plots.shares(dict.fromkeys("abcdefghij", 0.1), {})
    bars = elements(svg, "rect")
    lefts = [number(bar, "x") for bar in bars]
    rights = [number(bar, "x") + number(bar, "width") for bar in bars]
    assert all(right <= left + 0.11 for right, left in zip(rights, lefts[1:], strict=False))
    assert min(lefts) >= 0
    assert max(rights) <= 320


def test_nothing_made_yet_is_no_share():
    bars = elements(plots.shares({"random": 1.0}, {}), "rect")
    assert [number(bar, "height") for bar in bars] == [pytest.approx(FLOOR - TOP), 0]
    assert elements(plots.shares({}, {}), "rect") == []


def test_names_are_escaped():
    name = "<b> & 'c' \"d\""
    assert name in [text.text for text in elements(plots.shares({name: 1.0}, {}), "text")]
    assert name in [text.text for text in elements(plots.histogram({name: np.array([1, 2])}, 0.0, 1.0), "text")]


def test_histograms_are_steps_scaled_to_their_own_sum():
    svg = plots.histogram({"few": np.array([1, 3]), "many": np.array([500, 500])}, 0.0, 0.5)
    few, many = map(points, elements(svg, "polyline"))
    assert few[:, 0].tolist() == many[:, 0].tolist() == [28, 160, 160, 292]
    highest = FLOOR - TOP  # of the largest share, which is 0.75
    np.testing.assert_allclose(FLOOR - few[:, 1], [highest / 3, highest / 3, highest, highest], atol=0.06)
    np.testing.assert_allclose(FLOOR - many[:, 1], [highest * 2 / 3] * 4, atol=0.06)
    assert [text.text for text in elements(svg, "text")] == ["0", "0.5", "few", "many"]
    assert len({line.attrib["stroke"] for line in elements(svg, "polyline")}) == 2


def test_empty_histograms_lie_on_the_axis():
    counts = {"a": np.zeros(3, dtype=int), "b": np.zeros(0, dtype=int)}
    flat, none = elements(plots.histogram(counts, 0.0, 1.0), "polyline")
    assert set(points(flat)[:, 1]) == {FLOOR}
    assert none.attrib["points"] == ""


def test_heat_maps_are_darkest_at_their_maximum_and_fill_the_square():
    values = np.array([[0.0, 1.0, 2.0], [4.0, 0.0, 3.0]])
    cells = elements(plots.heat_map(values), "rect")
    assert [number(cell, "fill-opacity") for cell in cells] == (values / 4).ravel().tolist()
    assert {(number(cell, "x"), number(cell, "y")) for cell in cells} == {
        (50.0 * c, 50.0 * r) for r in (0, 1) for c in range(3)
    }
    assert all(number(cell, "width") == number(cell, "height") == 50 for cell in cells)


def test_a_heat_map_of_nothing_is_pale():
    cells = elements(plots.heat_map(np.zeros((4, 4))), "rect")
    assert [number(cell, "fill-opacity") for cell in cells] == [0.0] * 16


def test_marks_stand_at_their_values_and_beyond_the_ends_at_the_edge():
    svg = plots.histogram({"": np.array([1, 1])}, 0.0, 2.0, marks={"model": 0.5, "oracle": 2.0, "far": 9.0})
    marks = [line for line in elements(svg, "line") if "stroke-dasharray" in line.attrib]
    left, right = 28.0, 320.0 - 28.0
    np.testing.assert_allclose(
        [number(mark, "x1") for mark in marks], [left + (right - left) / 4, right, right], atol=0.06
    )
    assert {text.text for text in elements(svg, "text")} >= {"model", "oracle", "far"}
