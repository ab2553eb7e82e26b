"""Rows to the pixels of a micro batch: a pure function of rows, stage and seed, in any process.

A row that cannot be loaded is replaced by the next candidate for its place, and reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cologen.datagen.images import addresses
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import more_sources
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import RejectedError
from cologen.datagen.samples import render
from cologen.trainer.data.manifests import ManifestRows
from cologen.trainer.data.pixels import Fractions, Pixels, fit, fit_mask
from cologen.trainer.data.scenes import SceneRows
from cologen.trainer.recipes.stages import StageTask
from cologen.trainer.schedule.buckets import Assignment, Work


@dataclass(frozen=True, slots=True)
class OpenedComponent:
    """A manifest's rows, the folder of its precomputed maps, and when it was built."""

    rows: ManifestRows | SceneRows
    folder: Folder | None
    """None for scenes, which have none."""
    built: float = math.inf
    """Seconds since the epoch; its rows may not describe pictures that are newer."""

    @property
    def paired(self) -> bool:
        """Whether each row is two pictures to be drawn together."""
        return isinstance(self.rows, SceneRows) and self.rows.paired

    @property
    def masked(self) -> bool:
        """Whether its rows have masks."""
        return isinstance(self.rows, ManifestRows) and self.rows.task == "inpaint"

    def changed(self, row: Mapping[str, Any]) -> str | None:
        """The address of a picture of a row whose file was written after the manifest."""
        if isinstance(self.rows, SceneRows):
            return None
        names = ["image_uri", "source_uri", "target_uri"]
        if row.get("map_hash") is None:  # else it is beside the manifest, and its hash is compared
            names.append("condition_uri")
        for address in filter(None, [*map(row.get, names), *more_sources(row)]):
            path, _ = addresses.locate(self.rows.root, address)
            if Path(path).stat().st_mtime > self.built:
                return address
        return None


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that could not be loaded."""

    sample_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SampleLabel:
    """The metadata of one sample."""

    prompt: str
    task: str
    online: ConditionKind | None
    """The extractor that still has to compute the source from the picture that is stored there."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Samples in the order of the work, and the rows that had to be replaced on the way."""

    places: tuple[int, ...]
    pixels: Pixels
    labels: tuple[SampleLabel, ...]
    failures: tuple[Failure, ...]
    changed: tuple[tuple[str, str], ...] = ()
    """Manifests and addresses of pictures that are newer than their manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Makes samples of one stage."""

    components: tuple[OpenedComponent, ...]
    seed: int
    task: StageTask

    def __call__(self, work: Work) -> Fetched:
        """The pixels of some assignments.

        Raises:
            ValueError: none of the candidates for a place can be loaded.
        """
        paired = any(self.components[each.component].paired for each in work.assignments)
        sourced = paired or self.task != "text-to-image"
        masked = sourced and any(each.masked for each in self.components)
        num_more = work.num_sources - 1 if sourced else 0
        pixels = Pixels.blank(len(work.assignments), work.size, sourced=sourced, masked=masked, num_more=num_more)
        failures, changed = list[Failure](), dict[tuple[str, str], None]()
        labels = [self._sample(*numbered, pixels, failures, changed) for numbered in enumerate(work.assignments)]
        places = tuple(one.place for one in work.assignments)
        return Fetched(places, pixels, tuple(labels), tuple(failures), tuple(changed))

    def _sample(
        self,
        number: int,
        assignment: Assignment,
        pixels: Pixels,
        failures: list[Failure],
        changed: dict[tuple[str, str], None],
    ) -> SampleLabel:
        """Write sample ``number`` of the pixels."""
        component, at = self.components[assignment.component], self._crop(assignment.place)
        for index in assignment.candidates:
            row = component.rows.row(index)
            try:
                label, address = self._fitted(row, component, at, pixels, number), component.changed(row)
            except (RejectedError, OSError) as error:
                failures.append(Failure(row["sample_id"], str(error)))
                continue
            if address:
                changed[(str(component.folder), address)] = None
            return label
        last = failures[-1]
        assert isinstance(component.rows, ManifestRows), "scenes are drawn, which cannot fail"
        raise ValueError(
            f"{component.folder}: {len(assignment.candidates)} samples in a row cannot be loaded, the last being "
            f"{last.sample_id} ({last.reason}). Its pictures are looked for under {component.rows.root}."
        )

    def _crop(self, place: int) -> Fractions:
        right, down = divmod(derived_seed(self.seed, "crop", self.task, place), 1 << 32)
        return right / 2**32, down / 2**32

    def _fitted(
        self, row: Mapping[str, Any], source: OpenedComponent, at: Fractions, pixels: Pixels, number: int
    ) -> SampleLabel:
        if isinstance(source.rows, SceneRows):
            fit(row["target"], pixels.target[number], at)
            if pixels.source is not None:
                fit(row["second"], pixels.source[number], at)
            return SampleLabel(row["caption"], self.task, None)
        if pixels.source is None:
            fit(source.rows.picture(row), pixels.target[number], at)
            return SampleLabel(row["caption"], self.task, None)
        assert source.folder is not None, "a manifest has a folder"
        root = source.rows.root
        sample = render(row, root, source.folder)
        fit(sample.target, pixels.target[number], at)
        if sample.source is sample.target:
            pixels.source[number] = pixels.target[number]
        else:
            fit(sample.source, pixels.source[number], at, row.get("condition"))
        for picture, into in zip(sample.more_sources, pixels.more_sources, strict=True):
            fit(picture, into[number], at)
        if pixels.mask is not None:
            if sample.mask is None:
                pixels.mask[number] = 1
            else:
                fit_mask(sample.mask, pixels.mask[number], at)
        return SampleLabel(sample.prompt, row["task"], sample.online)
