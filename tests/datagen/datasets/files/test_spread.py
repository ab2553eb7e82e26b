"""Another order of the same: every index once, and every stretch of it like the whole."""

from collections import Counter

import pytest

from cologen.datagen.datasets import Dataset, Reading
from cologen.datagen.datasets.files.spread import Spread
from cologen.datagen.pair_records import Condition, ConditionKind


class Lists:
    """Of every hundred, 50 of the first list, then 30 and 20."""

    name = "lists"
    annotated = False
    kinds: frozenset[ConditionKind] = frozenset(["depth"])

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def read(self, index: int) -> Reading[Condition]:
        share = index / self._length
        key = f"{'a' if share < 0.5 else 'b' if share < 0.8 else 'c'}/{index}"
        return Reading(item=Condition(condition_id=key, image_uri="x", width=1, height=1, split="train", prompt="x"))

    def fingerprint(self) -> str:
        return "f"


def keys(source: Dataset[Condition]) -> list[str]:
    found = [source.read(index).item for index in range(len(source))]
    return [one.condition_id for one in found if one]


@pytest.mark.parametrize("length", [1, 2, 3, 6, 10, 97, 100, 1000, 1024])
def test_every_reading_comes_once(length: int) -> None:
    spread = Spread(Lists(length))
    assert isinstance(spread, Dataset)
    assert (len(spread), spread.name, spread.kinds, spread.fingerprint()) == (length, "lists", {"depth"}, "f")
    assert sorted(keys(spread)) == sorted(keys(Lists(length)))
    with pytest.raises(IndexError):
        spread.read(length)


@pytest.mark.parametrize("length", [1000, 1024, 7919])
def test_every_stretch_holds_about_its_share_of_every_list(length: int) -> None:
    found = [key[0] for key in keys(Spread(Lists(length)))]
    for start in range(0, length - 32, 32):
        counts = Counter(found[start : start + 32])
        assert all(abs(counts[name] - 32 * share) < 3 for name, share in {"a": 0.5, "b": 0.3, "c": 0.2}.items())
