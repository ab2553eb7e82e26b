"""Cells: figures with as many places as tell them apart, and a warning where outputs are missing."""

from __future__ import annotations

import pytest

from cologen.evaluation.reporting.figures import Counts, Interval, Mean
from cologen.evaluation.reporting.grids import Cell, decimals_for, figure_cell, printed_decimals

ALL = Counts(expected=2, scored=2, not_applicable=0)
SOME = Counts(expected=2, scored=1, not_applicable=0, problems={"missing": 1})


def test_a_figure_has_its_interval_beside_it() -> None:
    mean = Mean(counts=ALL, figure=0.85321, mean_of_scored=0.85321, interval=Interval(low=0.8, high=0.9))
    assert figure_cell(mean) == Cell(text="0.8532", note="[0.8000, 0.9000]", number=True)
    assert figure_cell(mean, scale=100.0, decimals=1).text == "85.3"
    assert figure_cell(mean, scale=100.0, decimals=1).note == "[80.0, 90.0]"


def test_what_rests_on_missing_outputs_warns() -> None:
    pessimistic = figure_cell(Mean(counts=SOME, figure=0.4, mean_of_scored=0.8))
    assert (pessimistic.text, pessimistic.note, pessimistic.alert) == ("0.4000", "pessimistic", True)
    withheld = figure_cell(Mean(counts=SOME, figure=None, mean_of_scored=0.8, withheld="no bound"))
    assert (withheld.text, withheld.note, withheld.alert) == ("–", "withheld", True)


def test_what_was_not_measured_or_does_not_apply_does_not_warn() -> None:
    none = Counts(expected=2, scored=0, not_applicable=2)
    found = figure_cell(Mean(counts=none, figure=None, mean_of_scored=None, withheld="applies to no output"))
    assert (found.note, found.alert) == ("does not apply", False)
    assert (figure_cell(None).note, figure_cell(None).alert) == ("not measured", False)


@pytest.mark.parametrize(("value", "places"), [(0.85, 4), (-1.5, 4), (7.66, 3), (33.31, 2)])
def test_places_by_size(value: float, places: int) -> None:
    assert decimals_for(value) == places


def test_places_as_printed() -> None:
    assert printed_decimals([0.1, 0.121, None]) == 3
    assert printed_decimals([35.0, 31.1]) == 1
    assert printed_decimals([None]) == 3
