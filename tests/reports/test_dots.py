import re
from xml.etree import ElementTree

import pytest

from cologen.reports.dots import dots


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
