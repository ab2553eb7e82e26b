"""What is missing in a case is the dataset's fault, and says what."""

import numpy as np
import pytest

from cologen.evaluation.metrics.cases import condition_of, mean_over, pictures_of, reading_of, region_of
from cologen.evaluation.records import Need, ScoreError
from tests.evaluation.metrics.cases import case_of, flat, picture

NEED = Need(network="clip", slot="output")


def test_pictures_are_those_of_the_reference() -> None:
    source, target, photograph = picture(seed=1), picture(seed=2), picture(seed=3)
    case = case_of(picture(), source=source, target=target, references=(photograph, source))
    assert pictures_of(case, "source")[0] is source
    assert pictures_of(case, "target")[0] is target
    assert len(pictures_of(case, "references")) == 2


@pytest.mark.parametrize("reference", ["source", "target", "references"])
def test_a_missing_reference_is_bad_input(reference: str) -> None:
    with pytest.raises(ScoreError, match=f"bad_input: ball-1 has no {reference}"):
        pictures_of(case_of(picture()), reference)  # pyright: ignore[reportArgumentType]


def test_a_missing_region_or_condition_is_bad_input() -> None:
    with pytest.raises(ScoreError, match="no region"):
        region_of(case_of(picture()))
    with pytest.raises(ScoreError, match="no control map"):
        condition_of(case_of(picture()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_readings_that_are_not_finite_are_no_numbers(value: float) -> None:
    reading = np.array([1.0, value, 2.0, 3.0], dtype=np.float32)
    with pytest.raises(ScoreError, match="not_finite: 25% of what clip read in the output") as error:
        reading_of(case_of(picture(), {NEED: reading}), NEED)
    assert error.value.reason == "not_finite"


def test_a_need_that_the_case_cannot_meet_is_named() -> None:
    with pytest.raises(ScoreError, match="has no text 'local' for clip to read"):
        reading_of(case_of(picture()), Need(network="clip", slot="texts", text="local"))
    with pytest.raises(ScoreError, match="has no output for clip to read"):
        reading_of(case_of(picture()), NEED)


def test_means_leave_out_what_does_not_apply() -> None:
    values = iter([1.0, None, 4.0])
    assert mean_over((flat(0), flat(1), flat(2)), lambda _: next(values)) == 2.5
    assert mean_over((flat(0),), lambda _: None) is None
