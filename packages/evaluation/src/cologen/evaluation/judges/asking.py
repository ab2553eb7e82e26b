"""A question to a vision-language model and its answer, whichever model it is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, runtime_checkable

import PIL.Image

from cologen.evaluation.records import Picture

JPEG_QUALITY = 75
"""GEdit-Bench sends its pictures so; ours go so to every judge."""

Ending = Literal["complete", "cut", "refused"]
"""``cut``: at the limit of tokens. ``refused``: the model or a filter before it says so outside of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said. ``model`` is its name as it states it, empty where it does not; ``day`` is ISO, in UTC."""

    text: str
    model: str
    day: str
    ending: Ending


@runtime_checkable
class VisionModel(Protocol):
    """Answers a question about pictures; threads may ask at the same time."""

    @property
    def fingerprint(self) -> str:
        """What decides its answers beside the question: the model's name and how it decodes."""
        ...

    def ask(self, prompt: str, pictures: Sequence[bytes]) -> Answer:
        """The answer to a prompt that is followed by these JPEG files.

        Raises:
            ScoreError: ``no_answer``.
            ValueError: it will answer no question as it is set up (a wrong key, no such model).
        """
        ...


def today() -> str:
    """The day of an answer that comes now."""
    return datetime.now(UTC).date().isoformat()


def as_jpeg(picture: Picture, like: Picture) -> bytes:
    """The picture in the size of ``like`` (bicubic where they differ), as the JPEG file that a judge sees."""
    image = PIL.Image.fromarray(picture)
    height, width = like.shape[:2]
    if image.size != (width, height):
        image = image.resize((width, height), PIL.Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
