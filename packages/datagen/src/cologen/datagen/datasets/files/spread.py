"""A dataset in another order: consecutive indices are spread over the whole, so that every part meets every list.

MultiGen-20M lists its pictures kind by kind. Parts are contiguous, and a part of one list has one kind of map.
"""

from __future__ import annotations

import math
from typing import Generic

from cologen.datagen.datasets.files.readings import Dataset, Item, Reading

_GOLDEN = (math.sqrt(5) - 1) / 2


class Spread(Generic[Item]):
    """Index i of n is ``dataset``'s i · step modulo n, with the step next to the golden section of n and coprime to it.

    Multiples of the golden section leave no large gap wherever they stop: of any m consecutive indices, about m · k / n
    are among any k consecutive ones of the dataset.
    """

    def __init__(self, dataset: Dataset[Item]) -> None:
        self._dataset, self.name = dataset, dataset.name
        self.annotated, self.kinds = dataset.annotated, dataset.kinds
        self._step = round(_GOLDEN * len(dataset))
        while math.gcd(self._step, len(dataset)) > 1:
            self._step += 1

    def __len__(self) -> int:
        return len(self._dataset)

    def read(self, index: int) -> Reading[Item]:
        """The dataset's reading in this place.

        Raises:
            IndexError: there is no such index.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of {len(self)}")
        return self._dataset.read(index * self._step % len(self))

    def fingerprint(self) -> str:
        """The dataset's own: the order follows from its length."""
        return self._dataset.fingerprint()
