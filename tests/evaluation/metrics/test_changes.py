"""Edits with exact targets: a square that had to become red, done, half done, overdone and not done."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cologen.evaluation.metrics.changes import (
    Edit,
    change_iou,
    edit_accuracy,
    edit_iou,
    edit_of,
    mean_difference,
    preservation_accuracy,
)
from cologen.evaluation.metrics.colour import ciede2000, lab_of
from cologen.evaluation.records import ScoreError
from tests.evaluation.metrics.cases import flat

GREY, RED, BLUE = (128, 128, 128), (220, 30, 30), (30, 30, 220)
SOURCE = flat(128, 8, 8)


def painted(*parts: tuple[slice, tuple[int, int, int]]) -> np.ndarray:
    image = SOURCE.copy()
    for columns, colour in parts:
        image[:, columns] = colour
    return image


TARGET = painted((slice(0, 4), RED))


def edit(output: np.ndarray, tolerance: float = 5.0) -> Edit:
    return edit_of(output, SOURCE, TARGET, tolerance)


@pytest.mark.parametrize(
    ("output", "edited", "kept", "changes", "right_changes"),
    [
        (TARGET, 1, 1, 1, 1),
        (SOURCE, 0, 1, 0, 0),
        (painted((slice(0, 2), RED)), 0.5, 1, 0.5, 0.5),
        (painted((slice(0, 6), RED)), 1, 0.5, 4 / 6, 4 / 6),
        (painted((slice(0, 4), BLUE)), 0, 1, 1, 0),  # the right place, the wrong colour
        (painted((slice(4, 8), RED)), 0, 0, 0, 0),
    ],
    ids=["done", "not done", "half", "spilt", "blue", "elsewhere"],
)
def test_by_hand(output: np.ndarray, edited: float, kept: float, changes: float, right_changes: float) -> None:
    made = edit(output)
    assert edit_accuracy(made) == edited
    assert preservation_accuracy(made) == kept
    assert change_iou(made) == pytest.approx(changes, abs=1e-15)
    assert edit_iou(made) == pytest.approx(right_changes, abs=1e-15)


def test_a_codec_s_noise_is_within_the_tolerance_and_a_shade_is_not() -> None:
    nearly = painted((slice(0, 4), (218, 33, 29)))
    assert edit_accuracy(edit(nearly)) == 1
    assert edit_accuracy(edit(nearly, 0.0)) == 0
    assert edit_accuracy(edit(painted((slice(0, 4), (220, 80, 80))))) == 0


def test_mean_differences() -> None:
    made = edit(painted((slice(0, 4), BLUE)))
    red, blue = (lab_of(np.array([colour], dtype=np.uint8)) for colour in (RED, BLUE))
    apart = float(ciede2000(red, blue)[0])
    assert mean_difference(made, "inside") == pytest.approx(apart)
    assert mean_difference(made, "outside") == 0
    assert mean_difference(made, None) == pytest.approx(apart / 2)


def test_where_nothing_had_to_change_nothing_is_said() -> None:
    made = edit_of(TARGET, SOURCE, SOURCE, 5.0)
    assert edit_accuracy(made) is change_iou(made) is edit_iou(made) is mean_difference(made, "inside") is None
    assert preservation_accuracy(made) == 0.5
    everywhere = edit_of(SOURCE, SOURCE, painted((slice(0, 8), RED)), 5.0)
    assert preservation_accuracy(everywhere) is mean_difference(everywhere, "outside") is None


@settings(max_examples=30)
@given(arrays(np.uint8, (3, 4, 5, 3)), st.floats(0, 20))
def test_laws(pictures: np.ndarray, tolerance: float) -> None:
    """The target scores 1, the source 0 in editing and 1 in preservation, whatever the pictures and the tolerance."""
    source, target, output = pictures
    shares = (edit_accuracy, preservation_accuracy, change_iou, edit_iou)
    oracle = [share(edit_of(target, source, target, tolerance)) for share in shares]
    identity = [share(edit_of(source, source, target, tolerance)) for share in shares]
    assert {1.0, *oracle} <= {1.0, None}
    assert identity[1] in (1.0, None) and {0.0, identity[0], identity[2], identity[3]} <= {0.0, None}
    made = edit_of(output, source, target, tolerance)
    found = [share(made) for share in shares]
    assert all(value is None or 0 <= value <= 1 for value in found)
    if found[0] is not None and found[3] is not None:
        assert found[3] <= found[0]


def test_outputs_are_resized_and_pairs_of_two_sizes_refused() -> None:
    assert edit(np.kron(TARGET, np.ones((2, 2, 1), dtype=np.uint8))).output.shape == TARGET.shape
    with pytest.raises(ScoreError, match="bad_input: the source has 8 x 4 pixels, the target 8 x 8"):
        edit_of(TARGET, SOURCE[:4], TARGET, 5.0)
