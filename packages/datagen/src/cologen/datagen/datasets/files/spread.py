"""A source in another order: any stretch of it is spread over the whole, so that every part meets every list.

MultiGen-20M lists its pictures kind by kind. Parts are contiguous, and a part of one list has one kind of map.
"""

from __future__ import annotations

import math

from cologen.datagen.pair_records import ConditionReading, ConditionSource

_GOLDEN = (math.sqrt(5) - 1) / 2


class Spread:
    """Index i of n is ``source``'s i · step modulo n, with the step next to the golden section of n and coprime to it.

    Multiples of the golden section leave no large gap wherever they stop: of any m consecutive indices, about m · k / n
    lie among any k consecutive ones of the source.
    """

    def __init__(self, source: ConditionSource) -> None:
        self._source, self.name, self.kinds = source, source.name, source.kinds
        self._step = round(_GOLDEN * len(source))
        while math.gcd(self._step, len(source)) > 1:
            self._step += 1

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> ConditionReading:
        """The source's reading in this place.

        Raises:
            IndexError: there is no such index.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of {len(self)}")
        return self._source.read(index * self._step % len(self))

    def fingerprint(self) -> str:
        """The source's own: the order follows from its length."""
        return self._source.fingerprint()
