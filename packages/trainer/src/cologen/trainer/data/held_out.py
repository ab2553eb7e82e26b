"""Held-out rows of a stage: which they are, that none of them is trained on, and their pixels.

They are taken evenly from the manifests of each task, so they are the same in every run with the same manifests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from cologen.datagen.manifest import recipe_hash
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import more_sources
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.randomness import derived_seed
from cologen.trainer.data.batch import Batch
from cologen.trainer.data.fetching import Fetcher
from cologen.trainer.data.loading import Loading, StageSamples, opened_component, prepared
from cologen.trainer.data.manifests import ManifestRows, open_manifest, read_columns
from cologen.trainer.data.online import kinds_wanted
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.held_out import HeldOut
from cologen.trainer.schedule.buckets import Assignment, Work, bucket_sizes, nearest_bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutRow:
    """One row: ``row`` of ``component``, which is a manifest of ``task``."""

    sample_id: str
    task: str
    component: int
    row: int


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutRows:
    """The held-out rows of one stage, those of its own tasks first; their pixels are read when they are asked for."""

    settings: HeldOut
    seed: int
    rows: tuple[HeldOutRow, ...]
    own_tasks: tuple[str, ...]
    """The tasks that the stage trains, of those that have rows here."""
    fetcher: Fetcher
    sizes: tuple[tuple[int, int], ...]
    """Width and height of each row, as the model sees it."""
    online_kinds: frozenset[ConditionKind]
    loading: Loading
    protocol: str
    """A hash of all that decides what is asked: losses of one protocol can be compared."""

    def batches(self, numbers: Sequence[int], device: torch.device) -> Iterator[Batch]:
        """A batch of one sample for each of these rows, in their order.

        Raises:
            ValueError: a row cannot be loaded. None takes its place, since a loss is compared over the same rows.
        """
        with prepared(self.fetcher, map(self._work, numbers), self.online_kinds, self.loading, device) as stream:
            for number in numbers:
                try:
                    batch = next(stream).batch
                except ValueError as error:
                    raise ValueError(f"a held-out row cannot be used, mend it or change held_out: {error}") from error
                task = self.rows[number].task
                # Other tasks than inpainting are asked as their own stages ask: everything is to be made up.
                mask = batch.mask if task == "inpaint" else torch.ones_like(batch.mask)
                yield replace(batch, tasks=(task,), mask=mask)

    def _work(self, number: int) -> Work:
        row = self.rows[number]
        place = derived_seed(self.seed, "held_out", row.sample_id)
        columns = self.fetcher.components[row.component].rows.row(row.row)
        assignment = Assignment(place, row.component, (row.row,))
        return Work(self.sizes[number], (assignment,), num_sources=1 + len(more_sources(columns)))


def open_held_out(
    recipe: Recipe,
    number: int,
    data: str | Path,
    training: StageSamples,
    *,
    roots: Mapping[str, Path] | None = None,
    loading: Loading | None = None,
) -> HeldOutRows | None:
    """The held-out rows of stage ``number``; None where the recipe has none for its tasks.

    Args:
        training: what the stage trains on.
        roots: where the pictures of a manifest lie, by its name, if not where they lay when it was built.

    Raises:
        FileNotFoundError, ValueError: as ``loading.open_stage``; or a held-out picture is trained on.
    """
    wanted = recipe.held_out_of(number)
    if recipe.held_out is None or not wanted:
        return None
    stage, settings = recipe.stages[number], recipe.held_out
    rows, components = list[HeldOutRow](), list[tuple[ManifestRows, Folder]]()
    for task, names in wanted.items():
        folders = [f"{str(data).rstrip('/')}/{name}" for name in names]
        opened = [
            open_manifest(folder, task, (roots or {}).get(name)) for folder, name in zip(folders, names, strict=True)
        ]
        rows += _evenly(task, opened, settings.rows_per_task, first=len(components))
        components += zip(opened, map(Folder.open, folders), strict=True)
    _refuse_trained_on(rows, components, training, str(stage.task))
    sized = [(row, components[row.component][0].row(row.row)) for row in rows]
    sizes = tuple(_size(recipe, each["width"], each["height"]) for _, each in sized)
    kinds = frozenset[ConditionKind]().union(*(kinds_wanted(each) for each, _ in components))
    return HeldOutRows(
        settings=settings,
        seed=recipe.seed,
        rows=tuple(rows),
        own_tasks=tuple(task for task in stage.own_tasks if task in wanted),
        fetcher=Fetcher(
            components=tuple(opened_component(*each) for each in components),
            seed=recipe.seed,
            task="text-to-image" if stage.trains_base else "mixed",  # which reads rows of any task
        ),
        sizes=sizes,
        online_kinds=frozenset() if stage.trains_base else kinds,
        loading=replace(loading or Loading(), num_workers=0),
        protocol=_protocol(recipe, settings, rows, [each for each, _ in components]),
    )


def _evenly(task: str, opened: Sequence[ManifestRows], at_most: int, *, first: int) -> list[HeldOutRow]:
    """Rows at even distances of all rows of these manifests, which are the components from number ``first`` on."""
    total = sum(map(len, opened))
    count = min(at_most, total)
    ends = np.cumsum([len(each) for each in opened])
    found: list[HeldOutRow] = []
    for place in (number * total // count for number in range(count)):
        manifest = int(np.searchsorted(ends, place, side="right"))
        row = place - int(ends[manifest]) + len(opened[manifest])
        sample_id = opened[manifest].row(row)["sample_id"]
        found.append(HeldOutRow(sample_id=sample_id, task=task, component=first + manifest, row=row))
    return found


def _refuse_trained_on(
    rows: Sequence[HeldOutRow],
    components: Sequence[tuple[ManifestRows, Folder]],
    training: StageSamples,
    stage: str,
) -> None:
    """Compare the pictures of one dataset by their names, which are sample ids without what follows the last #."""
    for number, (held, folder) in enumerate(components):
        pictures = {_picture(row.sample_id): row.sample_id for row in rows if row.component == number}
        for trained in training.fetcher.components:
            if not isinstance(trained.rows, ManifestRows) or trained.rows.source != held.source:
                continue
            both = sorted(set(pictures) & _pictures_among(trained.rows, pictures))
            if both:
                raise ValueError(
                    f"{folder} is held out, and stage {stage} trains on {len(both)} of {len(pictures)} pictures taken "
                    f"from it, the first {pictures[both[0]]}, with {trained.folder}: build it of another split "
                    "(--split val), or name other manifests in held_out"
                )


def _pictures_among(rows: ManifestRows, pictures: Collection[str]) -> set[str]:
    """Those of the pictures that a manifest of millions of rows holds too."""
    compute: Any = pc  # whose functions are made when it is imported
    wanted = pa.array(list(pictures), pa.string())
    names = compute.replace_substring_regex(
        read_columns(rows, ["sample_id"])["sample_id"], pattern="#[^#]*$", replacement=""
    )
    return set(names.filter(compute.is_in(names, value_set=wanted.cast(names.type))).to_pylist())


def _picture(sample_id: str) -> str:
    return sample_id.rpartition("#")[0] or sample_id


def _size(recipe: Recipe, width: int, height: int) -> tuple[int, int]:
    sizes = bucket_sizes(recipe.resolution)
    if len(sizes) == 1:
        return sizes[0]
    return sizes[int(nearest_bucket(np.array([width]), np.array([height]), sizes)[0])]


def _protocol(recipe: Recipe, settings: HeldOut, rows: Sequence[HeldOutRow], components: Sequence[ManifestRows]) -> str:
    facts = {
        "rows": [[row.task, row.sample_id, components[row.component].fingerprint] for row in rows],
        "times": list(settings.times),
        "seed": recipe.seed,
        "resolution": recipe.resolution.model_dump(mode="json"),
    }
    return recipe_hash(facts)[:12]
