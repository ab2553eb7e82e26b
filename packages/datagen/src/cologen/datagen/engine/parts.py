"""Parts: the contiguous slices of a dataset in which every build runs, retries and resumes."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.images.addresses import max_bytes


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures ``start <= index < stop`` of a dataset; ``index`` numbers the part itself."""

    index: int
    start: int
    stop: int
    skip_unreadable: bool = False
    """Reject pictures that the disk cannot read, instead of stopping: for the last try of a part."""


class DatasetRecipe(BaseModel):
    """What a build reads: the first ``num_images`` of a dataset's split, in parts; not where it is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    split: str
    num_images: int = Field(ge=1)
    part_size: int = Field(ge=1)
    fingerprint: str
    """The listing's hash; a build is not continued over a dataset that changed."""
    max_picture_bytes: int = Field(default_factory=max_bytes, ge=1)
    """Encoded pictures that are larger are rejected unread."""

    @property
    def num_parts(self) -> int:
        """How many parts cover all pictures."""
        return -(-self.num_images // self.part_size)

    def part(self, index: int) -> Part:
        """The part of this number; the last one may be shorter."""
        return Part(index, index * self.part_size, min((index + 1) * self.part_size, self.num_images))
