"""Rows to the pixels of a micro batch, in whatever process: a pure function of the rows, the stage and the seed.

A row that cannot be loaded is replaced by the next candidate for its place, and said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cologen.datagen import images
from cologen.datagen.control.alignment import Size
from cologen.datagen.randomness import generator
from cologen.datagen.records import RejectedError
from cologen.datagen.samples import render
from cologen.datagen.storage import Folder
from cologen.trainer.buckets import Assignment, Work
from cologen.trainer.curriculum import StageTask
from cologen.trainer.manifests import ManifestRows
from cologen.trainer.pixels import Fitted, Fractions, Pixels, fit, fit_mask, stacked


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A manifest's rows, and the folder that maps drawn in advance lie in."""

    rows: ManifestRows
    folder: Folder


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that could not be loaded."""

    sample_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """Pixels in the order of the work, and the rows that had to be replaced on the way."""

    places: tuple[int, ...]
    pixels: Pixels
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Makes samples of one stage."""

    sources: tuple[OpenedSource, ...]
    seed: int
    task: StageTask

    def __call__(self, work: Work) -> Fetched:
        """The pixels of some assignments.

        Raises:
            ValueError: none of the candidates for a place can be loaded.
        """
        failures = list[Failure]()
        samples = [self._sample(assignment, work.size, failures) for assignment in work.assignments]
        return Fetched(tuple(one.place for one in work.assignments), stacked(samples), tuple(failures))

    def _sample(self, assignment: Assignment, size: Size, failures: list[Failure]) -> Fitted:
        source = self.sources[assignment.source]
        right, down = generator(self.seed, "crop", self.task, assignment.place).random(2).tolist()
        for index in assignment.candidates:
            row = source.rows.row(index)
            try:
                return self._fitted(row, source, size, (right, down))
            except (RejectedError, OSError) as error:
                failures.append(Failure(row["sample_id"], str(error)))
        last = failures[-1]
        raise ValueError(
            f"{source.folder}: {len(assignment.candidates)} samples in a row cannot be loaded, the last being "
            f"{last.sample_id} ({last.reason}). Its pictures are looked for under {source.rows.root}."
        )

    def _fitted(self, row: Mapping[str, Any], source: OpenedSource, size: Size, at: Fractions) -> Fitted:
        root = source.rows.root
        if self.task == "text-to-image":
            picture = images.decode(images.read_bytes(root, row["image_uri"]), (row["width"], row["height"]))
            target = fit(picture, size, at)
            return Fitted(source=None, target=target, mask=None, prompt=row["caption"], task=self.task, online=None)
        sample = render(row, root, source.folder)
        target = fit(sample.target, size, at)
        return Fitted(
            source=target if sample.source is sample.target else fit(sample.source, size, at, row.get("condition")),
            target=target,
            mask=None if sample.mask is None else fit_mask(sample.mask, size, at),
            prompt=sample.prompt,
            task=row["task"],
            online=sample.online,
        )
