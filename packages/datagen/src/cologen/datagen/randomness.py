"""Randomness from a seed and a key, never from workers or order: a sample is the same on every worker."""

from __future__ import annotations

import hashlib

import numpy as np

KeyPart = str | int


def generator(seed: int, *key: KeyPart) -> np.random.Generator:
    """A stream of its own for ``(seed, *key)``: Philox keyed by a 128-bit hash of both.

    ``generator(7, "coco/42", "mask")`` and ``generator(7, "coco/42", "kind")`` are independent; strings and integers
    are distinct, and so are ``("a", "b")`` and ``("ab",)``.
    """
    return np.random.Generator(np.random.Philox(key=_hash(seed, key, size=16)))


def derived_seed(seed: int, *key: KeyPart) -> int:
    """A 64-bit seed for ``(seed, *key)``, for a manifest row to carry: unsigned, in [0, 2**64)."""
    return _hash(seed, key, size=8)


def _hash(seed: int, key: tuple[KeyPart, ...], size: int) -> int:
    digest = hashlib.blake2b(ascii((seed, *key)).encode(), digest_size=size).digest()
    return int.from_bytes(digest, "little")
