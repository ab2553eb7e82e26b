"""Quotas add up to the asked shares over all parts, and never ask for more than the samples can give."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen.apportion import quotas
from cologen.datagen.randomness import generator

SHARES = {"a": 0.5, "b": 0.3, "c": 0.2}
ANY = ("a", "b", "c")


def test_a_part_of_ten_is_apportioned_exactly():
    assert quotas([ANY] * 10, SHARES, first=0, shift=0.9) == {"a": 5, "b": 3, "c": 2}


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_parts_of_any_size_add_up_to_the_shares(sizes: list[int]):
    total, first = Counter[str](), 0
    for size in sizes:
        of_part = quotas([ANY] * size, SHARES, first, shift=0.5)
        assert sum(of_part.values()) == size
        total, first = total + Counter(of_part), first + size
    assert all(abs(total[kind] - first * share) < 1 for kind, share in SHARES.items())


@given(kinds=st.lists(st.sets(st.sampled_from(ANY)), max_size=30), shift=st.floats(0, 0.999), first=st.integers(0, 999))
def test_no_group_of_kinds_gets_more_than_it_can_have(kinds: list[set[str]], shift: float, first: int):
    asked = quotas(kinds, SHARES, first, shift)
    for group in (("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")):
        able = sum(bool(one & set(group)) for one in kinds)
        # Rounding may give each kind of a group one more.
        assert sum(asked[kind] for kind in group) <= able + len(group)


def test_where_samples_are_short_the_mean_over_parts_is_exact():
    kinds = [("a",)] * 3 + [ANY] * 4  # a to b and c as 5 to 5: eight would be needed of each seven
    made = Counter[str]()
    for part in range(4000):
        made += Counter(quotas(kinds, SHARES, part * 7, shift=generator(0, part).random()))
    shares = {kind: made[kind] / made.total() for kind in ANY}
    assert shares == pytest.approx(SHARES, abs=0.005)
    assert made.total() / 4000 == pytest.approx(7, abs=0.05)


def test_a_kind_without_a_share_needs_no_samples():
    assert quotas([("a",)] * 4, {"a": 1.0, "b": 0.0}, first=3, shift=0.5) == {"a": 4, "b": 0}
