"""Measures are found by their names; what is named and not there is said before training begins."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from cologen.trainer.loop.measures import GROUP, Measure, measures_of
from cologen.trainer.recipes.held_out import HeldOut
from tests.trainer.loop import made_up_measures
from tests.trainer.loop.made_up_measures import HERE, installed


def settings(*names: str) -> HeldOut:
    held_out = HeldOut(manifests={"inpaint": ("inpaint-val",)})
    return held_out.replace(measures=names) if names else held_out


def test_all_that_is_installed_or_those_that_are_named(monkeypatch: pytest.MonkeyPatch):
    with installed(monkeypatch):
        assert list(measures_of(settings())) == ["brightness", "hole"]
        assert measures_of(settings("hole")) == {"hole": made_up_measures.hole}
        assert isinstance(made_up_measures.hole, Measure)


def test_another_name_is_refused_and_those_there_are_are_named(monkeypatch: pytest.MonkeyPatch):
    with (
        installed(monkeypatch),
        pytest.raises(ValueError, match=r"names sharpness, lpips; installed are brightness, hole\. Install"),
    ):
        measures_of(settings("hole", "sharpness", "lpips"))


def test_with_none_installed_nothing_is_measured_unless_it_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cologen.trainer.loop.measures.entry_points", lambda group: [])
    assert measures_of(settings()) == {}
    with pytest.raises(ValueError, match="names l1; none is installed: they come with cologen-evaluation"):
        measures_of(settings("l1"))


def test_one_name_of_two_packages_is_refused(monkeypatch: pytest.MonkeyPatch):
    same, other = (EntryPoint("hole", value, GROUP) for value in (f"{HERE}:hole", "elsewhere:hole"))
    with installed(monkeypatch, same):  # listed twice, as where a package is installed twice
        assert len(measures_of(settings())) == 2
    with installed(monkeypatch, other), pytest.raises(ValueError, match="two packages bring a measure hole"):
        measures_of(settings())


@pytest.mark.parametrize("value", ["no_such_module:hole", f"{HERE}:nothing"])
def test_one_that_cannot_be_imported_is_named(value: str, monkeypatch: pytest.MonkeyPatch):
    with (
        installed(monkeypatch, EntryPoint("broken", value, GROUP)),
        pytest.raises(ValueError, match=rf"the measure broken \({value}\) cannot be imported"),
    ):
        measures_of(settings("broken"))


def test_those_of_evaluation_are_installed_here():
    found = measures_of(settings("l1", "l1_inside", "l1_outside", "ssim"))
    black, grey = (np.full((16, 16, 3), shade, np.uint8) for shade in (0, 51))
    mask = np.ones((16, 16), np.uint8)
    assert found["l1"](None, black, grey, mask) == {"l1": pytest.approx(0.2)}
