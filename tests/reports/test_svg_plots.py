import re
from xml.etree import ElementTree

import pytest

from cologen.reports.svg_plots import curves, dots


def centres(svg: str) -> list[float]:
    return [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', svg)]


def test_values_lie_on_the_axis_in_proportion_and_those_beyond_it_at_its_end():
    ElementTree.fromstring(svg := dots("a < b", {"one": [0.0, 0.5, 1.0], "two": [7.0], "none": []}, low=0.0, high=1.0))
    left, middle, right, beyond = centres(svg)
    assert middle == pytest.approx((left + right) / 2, abs=0.1) and beyond == right


def test_the_bar_is_at_the_mean():
    svg = dots("t", {"one": [0.2, 0.4]}, low=0.0, high=1.0)
    bars = re.findall(r'<line x1="([\d.]+)" x2="[\d.]+" y1="[\d.]+" y2="[\d.]+" stroke="#4269d0"', svg)
    assert [float(x) for x in bars] == [pytest.approx(sum(centres(svg)) / 2, abs=0.1)]


def test_an_axis_goes_up():
    with pytest.raises(ValueError, match="from low to high"):
        dots("t", {}, low=1.0, high=1.0)


def heights(svg: str) -> list[float]:
    return [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', svg)]


def test_a_curve_goes_through_the_means_and_leaves_out_settings_without_values():
    values = {"a < b": [[0.0, 1.0], [], [0.5]], "c": [[1.0], [1.0], [1.0]]}
    ElementTree.fromstring(svg := curves("t", ("1", "2", "3"), values, marked="3"))
    low, high, middle, *top = heights(svg)
    assert low > middle > high and middle == pytest.approx((low + high) / 2, abs=0.1)
    assert top == [high] * 3
    first, second = re.findall(r'<polyline points="([^"]*)"', svg)
    assert [float(place.split(",")[1]) for place in first.split()] == [middle, middle]
    assert len(second.split()) == 3
    assert svg.count('stroke-dasharray="3 3"') == 1


def test_a_curve_has_values_for_every_setting():
    with pytest.raises(ValueError, match="a has values at 1 settings of 2"):
        curves("t", ("1", "2"), {"a": [[0.5]]})
