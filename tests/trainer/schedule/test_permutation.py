"""A permutation gives every index once, whatever the size; another key, another order; no place prefers a row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cologen.trainer.schedule.permutation import epoch_keys, permute

KEYS = st.integers(0, 2**64 - 1)


def permuted(indices: np.ndarray, size: int, key: int) -> np.ndarray:
    sizes, keys = np.full(len(indices), size, np.uint64), np.full(len(indices), key, np.uint64)
    return permute(indices.astype(np.uint64), sizes, keys).astype(np.int64)


def whole(size: int, key: int) -> np.ndarray:
    return permuted(np.arange(size), size, key)


def orders(size: int, num_keys: int) -> np.ndarray:
    """The whole permutations of keys 0, 1, 2, …, one in each row."""
    num = size * num_keys
    indices, keys = np.tile(np.arange(size, dtype=np.uint64), num_keys), np.arange(num_keys, dtype=np.uint64)
    rows = permute(indices, np.full(num, size, np.uint64), np.repeat(keys, size))
    return rows.astype(np.int64).reshape(num_keys, size)


def chi_square_is_ordinary(counts: np.ndarray) -> bool:
    """χ² of equal chances has its degrees of freedom as mean and twice that as variance."""
    degrees = len(counts) - 1
    chi_square = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    return bool(abs(chi_square - degrees) < 5 * np.sqrt(2 * degrees))


def test_every_small_size_is_a_bijection():
    for size in range(1, 300):
        assert (np.sort(whole(size, 7)) == np.arange(size)).all()


@settings(max_examples=30)
@given(size=st.integers(1, 5000), key=KEYS)
def test_every_index_comes_once(size: int, key: int):
    assert (np.sort(whole(size, key)) == np.arange(size)).all()


@settings(max_examples=30)
@given(size=st.integers(2**40, 2**50), key=KEYS)
def test_large_sizes_stay_in_range_and_do_not_collide(size: int, key: int):
    rows = permuted(np.arange(2000), size, key)
    assert rows.max() < size
    assert len(np.unique(rows)) == 2000


def test_ten_million_rows_are_permuted_without_collisions():
    rows = np.concatenate([permuted(np.arange(i, i + 100_000), 10_000_000, 3) for i in (0, 4_000_000, 9_500_000)])
    assert len(np.unique(rows)) == 300_000


def test_each_draw_may_have_its_own_size_and_key():
    together = permute(np.array([3, 3], np.uint64), np.array([10, 400], np.uint64), np.array([1, 2], np.uint64))
    assert together.tolist() == [whole(10, 1)[3], whole(400, 2)[3]]


@pytest.mark.parametrize(("size", "num_orders"), [(2, 2), (3, 6), (4, 24)])
def test_all_orders_of_a_few_rows_are_equally_likely(size: int, num_orders: int):
    found, counts = np.unique(orders(size, 4800), axis=0, return_counts=True)
    assert len(found) == num_orders
    assert chi_square_is_ordinary(counts)


@pytest.mark.parametrize("size", [7, 50, 56])
def test_no_place_prefers_a_row_and_neighbours_part(size: int):
    drawn = orders(size, 4000)
    assert chi_square_is_ordinary(np.bincount(drawn[:, 0], minlength=size))
    assert chi_square_is_ordinary(np.bincount(drawn[:, -1], minlength=size))
    distances = np.bincount((drawn[:, 4] - drawn[:, 3]) % size, minlength=size)
    assert distances[0] == 0
    assert chi_square_is_ordinary(distances[1:])


def test_epochs_and_components_have_keys_of_their_own():
    components, epochs = np.meshgrid(np.arange(100, dtype=np.uint64), np.arange(100, dtype=np.uint64))
    keys = epoch_keys(components.ravel(), epochs.ravel())
    assert len(np.unique(keys)) == 10_000
