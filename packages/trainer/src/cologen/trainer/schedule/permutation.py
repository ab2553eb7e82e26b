"""A shuffled order of n rows that is computed, not stored: any position costs the same.

The law: ``permute`` of the indices 0 … n − 1 under one key gives each of 0 … n − 1 once. It is a Feistel network over
pairs (left, right) with left in Z_a, right in Z_b and a·b barely above n (Black and Rogaway, "Ciphers with arbitrary
finite domains", 2002): each half-round adds a keyed hash of one half to the other, which can be undone, so all of them
together permute the a·b pairs; a result that is no row is permuted again until it is one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt64

_HALF_ROUNDS = 8
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def permute(
    indices: UInt64[np.ndarray, "draws"], sizes: UInt64[np.ndarray, "draws"], keys: UInt64[np.ndarray, "draws"]
) -> UInt64[np.ndarray, "draws"]:
    """Where each index of [0, size) goes under the permutation of its size and key; each draw may have its own."""
    lefts = np.ceil(np.sqrt(sizes)).astype(np.uint64)
    rights = (sizes + lefts - np.uint64(1)) // lefts
    rows = _once(indices, lefts, rights, keys)
    while len(outside := np.flatnonzero(rows >= sizes)):
        rows[outside] = _once(rows[outside], lefts[outside], rights[outside], keys[outside])
    return rows


def epoch_keys(
    source_keys: UInt64[np.ndarray, "draws"], epochs: UInt64[np.ndarray, "draws"]
) -> UInt64[np.ndarray, "draws"]:
    """A key for each (component, epoch): two that differ in either have unrelated permutations."""
    return _mix(source_keys ^ _mix(epochs + _GOLDEN))


def _once(
    indices: UInt64[np.ndarray, "draws"],
    lefts: UInt64[np.ndarray, "draws"],
    rights: UInt64[np.ndarray, "draws"],
    keys: UInt64[np.ndarray, "draws"],
) -> UInt64[np.ndarray, "draws"]:
    left, right = np.divmod(indices, rights)
    for half_round in range(1, _HALF_ROUNDS + 1):
        keys = keys + _GOLDEN
        if half_round % 2:
            left = (left + _mix(keys ^ right) % lefts) % lefts
        else:
            right = (right + _mix(keys ^ left) % rights) % rights
    return left * rights + right


def _mix(bits: UInt64[np.ndarray, "draws"]) -> UInt64[np.ndarray, "draws"]:
    """SplitMix64's finaliser: every bit of the result depends on every bit given (Steele, Lea and Flood, 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
