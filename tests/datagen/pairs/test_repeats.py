"""A pair comes again when both its pictures do, in their roles."""

import numpy as np
import pytest

from cologen.datagen.pairs.likeness import Likeness, likeness
from cologen.datagen.pairs.repeats import RepeatPolicy, lookalikes, repeated

POLICY = RepeatPolicy()
Pairs = list[tuple[Likeness, Likeness]]


def noise(seed: int) -> Likeness:
    return likeness(np.random.default_rng(seed).integers(0, 246, (32, 32, 3), dtype=np.uint8))


def shifted(seed: int, levels: int) -> Likeness:
    return likeness(noise(seed).thumbnail + np.uint8(levels))


def hashes(pairs: Pairs) -> np.ndarray:
    return np.array([[pair[role].hash for pair in pairs] for role in (0, 1)], dtype=np.uint64)


def repetitions(pairs: Pairs, policy: RepeatPolicy = POLICY) -> list[int | None]:
    found = hashes(pairs)
    return [repeated(found, place, lambda at, role: pairs[at][role], policy, 10) for place in range(len(pairs))]


def test_lookalikes_are_those_of_a_plain_comparison():
    draw = np.random.default_rng(0)
    found = draw.integers(0, 2**63, (2, 12), dtype=np.uint64)[:, draw.integers(0, 12, 300)]
    flips = np.uint64(1) << draw.integers(0, 64, (9, *found.shape), dtype=np.uint64)
    found = found ^ np.bitwise_xor.reduce(flips * (draw.random(flips.shape) < 0.6), axis=0)
    everything = RepeatPolicy(num_compared=1000)
    for place in range(0, 300, 7):
        apart = [[(int(one[at]) ^ int(one[place])).bit_count() for one in found] for at in range(place)]
        near = sorted((sum(bits), at) for at, bits in enumerate(apart) if max(bits) <= everything.hash_radius)
        assert lookalikes(found, place, everything) == [at for _, at in near]
        assert lookalikes(found, place, RepeatPolicy(num_compared=3)) == [at for _, at in near[:3]]


def test_the_first_of_all_equal_repetitions_is_named():
    assert repetitions([(noise(0), noise(1))] * 3) == [None, 0, 0]


def test_sameness_is_up_to_the_threshold_in_both_pictures():
    first = noise(0), noise(1)
    assert repetitions([first, (shifted(0, 9), shifted(1, 5))]) == [None, 0]
    assert repetitions([first, (shifted(0, 9), shifted(1, 10))]) == [None, None]


def test_a_pair_that_goes_itself_still_makes_others_go():
    chain = [(noise(0), noise(1)), (noise(0), shifted(1, 5)), (noise(0), shifted(1, 10))]
    assert repetitions(chain) == [None, 0, 1]


def test_another_edit_of_a_picture_and_a_pair_turned_round_are_new():
    assert repetitions([(noise(0), noise(1)), (noise(0), noise(2)), (noise(1), noise(0))]) == [None] * 3


def test_equal_hashes_alone_are_no_repetition():
    plain, lighter = (likeness(np.full((32, 32, 3), level, np.uint8)) for level in (100, 200))
    assert plain.hash == lighter.hash
    assert repetitions([(noise(0), plain), (noise(0), lighter)]) == [None, None]


def test_pictures_are_looked_at_only_where_hashes_are_alike():
    pairs = [(noise(seed), noise(seed + 100)) for seed in range(20)]

    def look(place: int, role: int) -> Likeness:
        pytest.fail(f"looked at {place}, {role}")

    assert [repeated(hashes(pairs), place, look, POLICY, 10) for place in range(20)] == [None] * 20


def test_no_pairs_repeat_nothing():
    assert lookalikes(np.zeros((2, 1), dtype=np.uint64), 0, POLICY) == []
