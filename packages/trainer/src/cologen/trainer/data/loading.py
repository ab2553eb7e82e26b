"""A stage's samples, from manifests to batches on the training device, in plan order, from any number of workers.

A batch is a pure function of (recipe, manifests, step): the number of worker processes, the number of training
processes and earlier failures do not change it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from cologen.datagen.manifest import MANIFEST_NAME
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import ConditionKind
from cologen.trainer.data.batch import Batch, LoadedStep, Mask, Pictures
from cologen.trainer.data.draws import with_captions_dropped
from cologen.trainer.data.fetching import Failure, Fetched, Fetcher, OpenedComponent
from cologen.trainer.data.manifests import ManifestRows, open_manifest, read_columns, source_counts
from cologen.trainer.data.online import OnlineControl, Prepared, drawn, kinds_wanted
from cologen.trainer.data.scenes import SceneRows
from cologen.trainer.data.workers import in_order
from cologen.trainer.distributed import Processes
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.schedule.buckets import Schedule, Work, bucket_sizes, one_component_a_step, schedule
from cologen.trainer.schedule.plan import Component, Plan

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Where batches are made; it does not change them."""

    num_workers: int = 0
    """Processes beside each training process; 0 makes batches in the training process itself."""
    ahead: int = 2
    """Micro batches that each of them makes ahead."""
    online: OnlineControl = OnlineControl()

    def __post_init__(self) -> None:
        if self.num_workers < 0 or self.ahead < 1:
            raise ValueError(f"num_workers is 0 or more and ahead at least 1, got {self.num_workers} and {self.ahead}")


@dataclass(frozen=True, kw_only=True, eq=False)
class StageSamples:
    """The samples of one stage: implements ``batch.StageData``."""

    recipe: Recipe
    number: int
    schedule: Schedule
    fetcher: Fetcher
    loading: Loading
    online_kinds: frozenset[ConditionKind]

    def facts(self) -> dict[str, Any]:
        """All that decides which samples come when, as plain values."""
        return {"buckets": self.schedule.facts()}

    def steps(self, first_step: int, processes: Processes) -> Generator[LoadedStep, None, None]:
        """This process's micro batches from ``first_step`` to the end of the stage, on its device.

        Raises:
            FileNotFoundError: an extractor's weights are missing.
            ValueError: the global batch cannot be shared among the processes, all candidates for a place fail, or
                worker processes die over and over.
        """
        recipe, stage, micro_batch = self.recipe, self.recipe.stages[self.number], self.recipe.micro_batch
        share = self.schedule.slice_for(processes.rank, processes.size, micro_batch)
        per_step = (share.stop - share.start) // micro_batch
        logged = set[str]()
        works = self._works(first_step, share)
        with prepared(self.fetcher, works, self.online_kinds, self.loading, processes.device) as stream:
            for step in range(first_step, stage.iterations):
                start = time.perf_counter()
                ready = [next(stream) for _ in range(per_step)]
                waited = time.perf_counter() - start
                failures = [failure for each in ready for failure in each.failures]
                _log_once(failures, logged)
                yield LoadedStep(
                    step=step,
                    micro_batches=tuple(each.batch for each in ready),
                    num_failed=len(failures),
                    waited=waited,
                    next_prompts=self._prompts(step + 1, share) if recipe.cache_text or recipe.stored_text else (),
                )

    def _prompts(self, step: int, share: slice) -> tuple[str, ...]:
        """The prompts of a step's first-choice rows, some of them dropped as in training."""
        recipe, stage = self.recipe, self.recipe.stages[self.number]
        if step >= stage.iterations:
            return ()
        assignments = self.schedule.work(step)[share].assignments
        captions = [
            self.fetcher.components[each.component].rows.row(each.candidates[0])["caption"] for each in assignments
        ]
        places = [each.place for each in assignments]
        return with_captions_dropped(captions, places, recipe.seed, stage.task, recipe.caption_dropout)

    def _works(self, first_step: int, share: slice) -> Iterator[Work]:
        """This process's work, one micro batch after the other."""
        micro_batch = self.recipe.micro_batch
        for step in range(first_step, self.recipe.stages[self.number].iterations):
            work = self.schedule.work(step)[share]
            for first in range(0, len(work.assignments), micro_batch):
                yield work[first : first + micro_batch]


def open_stage(
    recipe: Recipe,
    number: int,
    data: str | Path,
    *,
    roots: Mapping[str, Path] | None = None,
    loading: Loading | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> StageSamples:
    """The samples of stage ``number``, whose manifests lie in folders under ``data``, a path or a URI.

    Args:
        roots: where the pictures of a manifest lie, by its name, if not where they lay when it was built.
        progress: called with the number of rows just copied; only the first opening of a manifest copies them.

    Raises:
        FileNotFoundError: a manifest, one of its parts or its pictures' root is not there.
        ValueError: a manifest is of another task or schema version, incomplete, empty or damaged.
    """
    stage, roots = recipe.stages[number], roots or {}
    folders = {name: f"{str(data).rstrip('/')}/{name}" for name in stage.manifests}
    opened: Mapping[str, ManifestRows | SceneRows] = {
        name: open_manifest(folder, stage.manifest_tasks, roots.get(name), progress) for name, folder in folders.items()
    }
    weights = stage.weights({name: (rows.task, rows.num_rows) for name, rows in opened.items()})
    if stage.scenes is not None:
        weights = stage.scenes.shares
        opened = {name: SceneRows(stage.scenes, paired=name != stage.scenes.name) for name in weights}
    drawn_from = (Component(name, rows.num_rows, weights[name], rows.fingerprint) for name, rows in opened.items())
    plan = Plan(recipe.seed, tuple(drawn_from), stage.global_batch)
    _log_repeats(plan)
    manifests = {name: rows for name, rows in opened.items() if isinstance(rows, ManifestRows)}
    squares = len(bucket_sizes(recipe.resolution)) == 1
    sizes = [] if squares else [_sizes(rows) for rows in manifests.values()]
    components = tuple(
        opened_component(rows, Folder.open(folders[name]))
        if isinstance(rows, ManifestRows)
        else OpenedComponent(rows, None)
        for name, rows in opened.items()
    )
    kinds = frozenset[ConditionKind]().union(*map(kinds_wanted, manifests.values()))
    planned = (
        one_component_a_step(plan, bucket_sizes(recipe.resolution)[0])
        if stage.scenes is not None
        else schedule(plan, recipe.resolution, sizes, [source_counts(rows) for rows in manifests.values()])
    )
    for bucket in planned.buckets:
        if bucket.num_sources > 1 and bucket.plan is not plan:
            _log_repeats(bucket.plan)
    return StageSamples(
        recipe=recipe,
        number=number,
        schedule=planned,
        fetcher=Fetcher(components=components, seed=recipe.seed, task=stage.task),
        loading=loading or Loading(),
        online_kinds=frozenset() if stage.trains_base else kinds,
    )


@contextmanager
def prepared(
    fetcher: Fetcher, works: Iterable[Work], kinds: Collection[ConditionKind], loading: Loading, device: torch.device
) -> Generator[Iterator[Prepared], None, None]:
    """The batches of some work, in order and on a device, for the length of the block; ``kinds`` are made online."""
    with ExitStack() as stack:
        stream = stack.enter_context(closing(_fetched(fetcher, works, loading, device)))
        for kind, drawing in stack.enter_context(loading.online.drawings(kinds, device)).items():
            stream = stack.enter_context(closing(drawn(stream, kind, drawing)))
        yield stream


def _fetched(
    fetcher: Fetcher, works: Iterable[Work], loading: Loading, device: torch.device
) -> Generator[Prepared, None, None]:
    with closing(in_order(fetcher, works, loading.num_workers, loading.ahead)) as fetched:
        told = set[str]()
        for each in fetched:
            _log_changed(each, told)
            yield _on_device(each, device)


def opened_component(rows: ManifestRows, folder: Folder) -> OpenedComponent:
    """The rows of a manifest with what stands beside them in its folder."""
    changed = folder.filesystem.get_file_info(f"{folder.path}/{MANIFEST_NAME}").mtime_ns
    return OpenedComponent(rows, folder, math.inf if changed is None else changed / 1e9)


def _sizes(rows: ManifestRows) -> tuple[Int64[np.ndarray, "_rows"], Int64[np.ndarray, "_rows"]]:
    columns = read_columns(rows, ["width", "height"])
    width, height = (columns[name].to_numpy().astype(np.int64) for name in ("width", "height"))
    return width, height


def _on_device(fetched: Fetched, device: torch.device) -> Prepared:
    pixels, labels = fetched.pixels, fetched.labels
    target = _planes(pixels.target, device)
    batch = Batch(
        source=None if pixels.source is None else _planes(pixels.source, device),
        target=target,
        mask=_everywhere(target) if pixels.mask is None else _planes(pixels.mask[..., None], device),
        prompts=tuple(one.prompt for one in labels),
        tasks=tuple(one.task for one in labels),
        places=fetched.places,
        more_sources=tuple(_planes(each, device) for each in pixels.more_sources),
    )
    return Prepared(batch=batch, online=tuple(one.online for one in labels), failures=fetched.failures)


def _everywhere(target: Pictures) -> Mask:
    """A mask that hides all, without memory for it."""
    batch, _, height, width = target.shape
    return target.new_ones(()).expand(batch, 1, height, width)


def _planes(
    pixels: UInt8[np.ndarray, "batch height width channels"], device: torch.device
) -> UInt8[torch.Tensor, "batch channels height width"]:
    """A view with torch's order of axes; the bytes in memory stay as they are."""
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2)


def _log_changed(fetched: Fetched, told: set[str]) -> None:
    for manifest, address in fetched.changed:
        if manifest not in told:
            told.add(manifest)
            _LOG.warning(
                "%s: %s was written after the manifest was built. If it is another picture than it was, its masks, "
                "boxes and words do not fit it: build again with --fresh",
                manifest,
                address,
            )


def _log_repeats(plan: Plan) -> None:
    """Warn where a step holds the same rows more than once."""
    total = sum(component.weight for component in plan.components)
    for component in plan.components:
        samples = plan.global_batch * component.weight / total
        if samples > component.num_rows:
            _LOG.warning(
                "%s has %d rows, of which each step takes some %d: rows come more than once in a step. Build more, or "
                "lower its weight or global_batch %d",
                component.name,
                component.num_rows,
                samples,
                plan.global_batch,
            )


def _log_once(failures: list[Failure], logged: set[str]) -> None:
    for failure in failures:
        if failure.sample_id not in logged:
            logged.add(failure.sample_id)
            _LOG.warning("%s cannot be loaded and is replaced: %s", failure.sample_id, failure.reason)
