"""What scoring asks of a network, wherever its weights are from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from cologen.evaluation.records import Case, Picture


@runtime_checkable
class PictureNetwork(Protocol):
    """Reads pictures: features, or a map for each.

    On the CPU every picture is a forward pass of its own, so that nothing depends on what it is batched with.
    """

    @property
    def identity(self) -> str:
        """What decides its readings: name or folder, and a hash of weights and preprocessing."""
        ...

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        """One float32 array for each picture, in order; NaN is passed on, for the scorer to count."""
        ...


@runtime_checkable
class TextNetwork(PictureNetwork, Protocol):
    """A network that also reads texts (CLIP)."""

    def read_texts(self, texts: Sequence[str]) -> list[np.ndarray]:
        """One float32 array for each text.

        Raises:
            ScoreError: ``long_text``: a text has more tokens than the encoder reads.
        """
        ...


@runtime_checkable
class Judge(Protocol):
    """A vision-language model that is asked about a whole case (GEdit-Bench, ImgEdit-Bench)."""

    @property
    def identity(self) -> str:
        """The model's name as the endpoint states it, the prompts' hash, and the day of the first answer."""
        ...

    def judge(self, case: Case) -> np.ndarray:
        """The scores of one case, in the order that the judge's prompts define, in their own scale.

        Raises:
            ScoreError: ``no_answer``, ``refused`` or ``unparsable``.
        """
        ...
