"""Conditions dealt part by part add up to the asked shares, and go only to samples that can have them."""

from collections import Counter
from collections.abc import Collection

import pytest

from cologen.datagen.control.mixture import deal
from cologen.datagen.control.policy import ANYWHERE, KINDS, ConditionMix
from cologen.datagen.pair_records import ConditionKind

OWN: list[frozenset[ConditionKind]] = [frozenset(), frozenset(["depth"]), frozenset(["segmentation"])]


def samples(start: int, stop: int) -> dict[str, Collection[ConditionKind]]:
    """Of every three, one has a map of depth and one of classes."""
    return {f"x/{index}": ANYWHERE | OWN[index % 3] for index in range(start, stop)}


@pytest.mark.parametrize("size", [15, 32, 100])
def test_parts_add_up_to_the_shares_to_one_sample(size: int) -> None:
    mix = ConditionMix(canny=0.3, depth=0.25, hed=0.2, lineart=0.15, segmentation=0.1)
    found = Counter[str]()
    for start in range(0, 1000, size):
        able = samples(start, min(start + size, 1000))
        dealt = deal(able, mix, 3, start)
        assert dealt.keys() == able.keys()
        assert all(kind in able[sample_id] for sample_id, kind in dealt.items())
        found.update(dealt.values())
    assert all(abs(found[kind] - 1000 * share) <= 1 for kind, share in mix.shares().items())


def test_samples_are_left_out_where_a_share_cannot_be_kept() -> None:
    found = Counter[str]()
    for start in range(0, 3000, 60):
        found.update(deal(samples(start, start + 60), ConditionMix.equal(["canny", "depth"]), 3, start).values())
    assert found["depth"] == 1000
    assert abs(found["canny"] - 1000) <= 25  # right in the mean: half a sample to each of 50 parts


def test_the_scarce_is_dealt_first() -> None:
    """All have depth, every fourth has classes too, and none of those is spent on depth."""
    able = {f"x/{i}": frozenset[ConditionKind](["depth", *(["segmentation"] if i % 4 == 0 else [])]) for i in range(40)}
    dealt = deal(able, ConditionMix(canny=0, depth=0.75, hed=0, lineart=0, segmentation=0.25), 1, 0)
    assert Counter(dealt.values()) == {"depth": 30, "segmentation": 10}


def test_seed_and_place_decide_alone() -> None:
    able = samples(0, 50)
    once = deal(able, ConditionMix(), 5, 0)
    assert deal(dict(able), ConditionMix(), 5, 0) == once
    assert deal(able, ConditionMix(), 6, 0) != once
    assert set(once.values()) == set(KINDS)
