"""Each filter lets through what reaches its bound, and names what does not."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from cologen.datagen.pair_records import Pair, Scores
from cologen.datagen.pairs.filters import PairPolicy, check_change, check_scores, check_sizes
from cologen.datagen.pairs.likeness import Likeness, likeness
from cologen.datagen.records import Reason, RejectedError

POLICY = PairPolicy(num_scores=2, min_score=5.0, min_side=64, min_change=10)


def pair(**changes: Any) -> Pair:
    values: dict[str, Any] = {"width": 64, "height": 80, "source_size": (90, 64)} | changes
    return Pair(pair_id="0", source_uri="a", target_uri="b", split="train", instructions=("x",), **values)


def plain(level: int) -> Likeness:
    return likeness(np.full((32, 32, 3), level, np.uint8))


@pytest.mark.parametrize(
    ("scores", "reason", "said"),
    [
        ((), Reason.UNJUDGED, "0 of 2"),
        ((("a", 5.0),), Reason.UNJUDGED, "1 of 2"),
        ((("a", 5.0), ("b", 4.5)), Reason.LOW_SCORE, "b 4.5"),
        ((("a", 5.0), ("b", float("nan"))), Reason.LOW_SCORE, "b nan"),
    ],
)
def test_scores_missing_or_low_are_turned_away(scores: Scores, reason: Reason, said: str):
    with pytest.raises(RejectedError) as caught:
        check_scores(scores, POLICY)
    assert caught.value.reason == reason
    assert said in caught.value.detail


def test_what_reaches_its_bound_passes():
    check_scores((("a", 5.0), ("b", 6.0)), POLICY)
    check_scores((), PairPolicy())
    check_sizes(pair(), POLICY)
    check_change(plain(100), plain(110), POLICY)


@pytest.mark.parametrize(
    ("change", "role"), [({"width": 63}, "target"), ({"height": 63}, "target"), ({"source_size": (90, 63)}, "source")]
)
def test_a_small_picture_is_named_by_its_role(change: dict[str, Any], role: str):
    with pytest.raises(RejectedError, match=role) as caught:
        check_sizes(pair(**change), POLICY)
    assert caught.value.reason == Reason.TOO_SMALL


def test_pictures_that_hardly_differ_are_identical():
    for level in (100, 109, 91):
        with pytest.raises(RejectedError) as caught:
            check_change(plain(100), plain(level), POLICY)
        assert caught.value.reason == Reason.IDENTICAL_PAIR


@pytest.mark.parametrize("wrong", [{"min_side": 15}, {"min_change": 0}, {"min_change": 256}, {"num_scores": -1}])
def test_a_policy_without_meaning_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        PairPolicy(**wrong)
