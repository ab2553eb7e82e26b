"""What the dataset's pictures of an item are known by, so that a picture that was replaced later does not go unnoticed.

The fingerprint of a dataset is of its lists; pictures are terabytes, and are known only where they are decoded anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from cologen.evaluation.records import Expected


def digest_of_expected(expected: Expected) -> str:
    """A hash of all pixels that an output is scored against."""
    return _digest((expected.source, expected.target, expected.region, expected.condition, *expected.references))


def digest_of_shown(expected: Expected) -> str:
    """A hash of what the model was shown: the source, or the picture and map that a condition was made from."""
    return _digest((expected.target, expected.condition) if expected.source is None else (expected.source,))


def _digest(pictures: Iterable[np.ndarray | None]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for picture in pictures:
        digest.update(b"none" if picture is None else str(picture.shape).encode())
        if picture is not None:
            digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()
