"""A pair comes again when both its pictures do, in their roles."""

import numpy as np

from cologen.datagen.pairs.likeness import Likeness, likeness
from cologen.datagen.pairs.repeats import SeenPairs


def noise(seed: int) -> Likeness:
    return likeness(np.random.default_rng(seed).integers(0, 246, (32, 32, 3), dtype=np.uint8))


def shifted(seed: int, levels: int) -> Likeness:
    return likeness(noise(seed).thumbnail + np.uint8(levels))


def test_the_first_of_all_repetitions_is_named():
    seen = SeenPairs(10)
    assert seen.find(noise(0), noise(1)) is None
    for name in ("first", "second"):
        seen.add(name, noise(0), noise(1))
    assert seen.find(noise(0), noise(1)) == "first"


def test_sameness_is_up_to_the_threshold_in_both_pictures():
    seen = SeenPairs(10)
    seen.add("a", noise(0), noise(1))
    assert seen.find(shifted(0, 9), shifted(1, 5)) == "a"
    assert seen.find(shifted(0, 9), shifted(1, 10)) is None


def test_another_edit_of_a_picture_and_a_pair_turned_round_are_new():
    seen = SeenPairs(10)
    seen.add("a", noise(0), noise(1))
    assert seen.find(noise(0), noise(2)) is None
    assert seen.find(noise(1), noise(0)) is None


def test_equal_hashes_alone_are_no_repetition():
    seen = SeenPairs(10)
    plain, lighter = (likeness(np.full((32, 32, 3), level, np.uint8)) for level in (100, 200))
    assert plain.hash == lighter.hash
    seen.add("a", noise(0), plain)
    assert seen.find(noise(0), lighter) is None
