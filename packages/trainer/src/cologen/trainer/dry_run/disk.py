"""The disk space that a run needs (checkpoints, adapter or base, cache), and the free space."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cologen.datagen import cache
from cologen.model import costs
from cologen.model.presets import preset
from cologen.trainer.dry_run.estimates import num_latents, shape_of, trained_parameters
from cologen.trainer.loop.kept_files import Kept
from cologen.trainer.recipes.curriculum import Recipe

_BYTES_PER_ROW = 500
"""Of a manifest's rows, uncompressed in the cache."""

_BYTES_OF_WORLD = 150e6
"""The synthetic dataset in all formats, as training draws it, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Bytes that a run writes, and bytes that are free there."""

    checkpoint: float
    """The largest one."""
    num_checkpoints: int
    """Checkpoints that exist at once: the last ones, the one being written, and the end of each earlier stage."""
    result: float
    """The adapter, or the base that is made."""
    data: float
    """Manifests and pictures that are generated before training."""
    rows: float
    """Of the manifests that are there."""
    text: float | None
    """At most; None: none is kept."""
    latents: float | None
    stored_text: float | None
    """Text embeddings made ahead, as they are now; None: none are used."""
    free: float = field(compare=False)
    """Where the run is written."""
    free_for_cache: float = field(compare=False)
    one_disk: bool
    """Whether the cache is on the same disk."""

    @property
    def run(self) -> float:
        """In the run's folder."""
        return self.checkpoint * self.num_checkpoints + self.result

    @property
    def cache(self) -> float:
        """In the cache folder, at most."""
        return self.rows + (self.text or 0.0) + (self.latents or 0.0)


def disk(
    recipe: Recipe,
    stages: Sequence[int],
    folder: Path,
    *,
    rows: Mapping[str, int],
    builds_data: bool,
    stored_text: Kept | None = None,
) -> Disk:
    """What these stages write into ``folder`` and into the cache, whose size is bounded.

    Args:
        rows: of the manifests that are there; text is counted once for each row.
        stored_text: the text embeddings that were made ahead; None: none are used.
    """
    known = all(name in rows for number in stages for name in recipe.stages[number].manifests)
    total, bound = sum(rows.values()), recipe.cache_gb * 1e9
    text = float(bytes_of_prompt(recipe) * total)
    latents = 2.0 * num_latents(recipe) * _width(recipe) * _samples(recipe, stages)
    ends = max(len(stages) - 1, 0)
    home, there = _existing(folder), _existing(cache.folder())
    return Disk(
        checkpoint=max((_checkpoint(recipe, number) for number in stages), default=0.0),
        num_checkpoints=(recipe.keep_last + 1 + ends) if stages else 0,
        result=_result(recipe, stages[-1]) if stages else 0.0,
        data=_BYTES_OF_WORLD if builds_data else 0.0,
        rows=float(_BYTES_PER_ROW * total),
        text=(min(bound, text) if known else bound) if recipe.cache_text else None,
        latents=min(bound, latents) if recipe.cache_latents else None,
        stored_text=None if stored_text is None else float(sum(stored_text.sizes().values())),
        free=float(shutil.disk_usage(home).free),
        free_for_cache=float(shutil.disk_usage(there).free),
        one_disk=home.stat().st_dev == there.stat().st_dev,
    )


def lacking(needed: Disk, recipe: Recipe, folder: Path) -> list[str]:
    """What does not fit on the disks, and what to do. The caches of text and latents stop before a disk is full."""
    found: list[str] = []
    written = needed.run + needed.data + (needed.rows if needed.one_disk else 0.0)
    if written > needed.free:
        fewer = needed.checkpoint * (recipe.keep_last - 1)
        helps = "--set keep_last=1, " if fewer and written - fewer <= needed.free else ""
        found.append(
            f"{folder} needs about {_gb(written)} and {_gb(needed.free)} are free: {helps}make room, or choose another "
            "--out"
        )
    if not needed.one_disk and needed.rows > needed.free_for_cache:
        found.append(
            f"{cache.folder()} needs about {_gb(needed.rows)} and {_gb(needed.free_for_cache)} are free: make room, or "
            "set COLOGEN_CACHE to a folder on another disk"
        )
    return found


def _checkpoint(recipe: Recipe, number: int) -> float:
    """All experts or the base in float32, AdamW's two averages and the moving one."""
    trained = trained_parameters(recipe, number)
    training = (2 if recipe.optimizer.eight_bit else 8) + (4 if recipe.ema_decay else 0)
    found = costs.parameters(shape_of(recipe, number))
    model = found.base if recipe.stages[number].trains_base else _experts(recipe, number)
    return 4.0 * model + training * trained


def _result(recipe: Recipe, number: int) -> float:
    if recipe.stages[number].trains_base:
        return 2.0 * costs.parameters(shape_of(recipe, number)).base
    return 4.0 * _experts(recipe, number)


def _experts(recipe: Recipe, number: int) -> int:
    found = costs.parameters(shape_of(recipe, number))
    return found.per_expert * recipe.num_experts(number) + found.router


def _samples(recipe: Recipe, stages: Sequence[int]) -> int:
    return sum(recipe.stages[number].iterations * recipe.stages[number].global_batch for number in stages)


def bytes_of_prompt(recipe: Recipe) -> int:
    """Of one prompt's embeddings before compression, which depends on the encoder."""
    base, shape = preset(recipe.preset), shape_of(recipe, 0)
    return _width(recipe) * (base.text_tokens * shape.joint_attention_dim + shape.pooled_projection_dim)


def _width(recipe: Recipe) -> int:
    return 2 if recipe.precision == "bf16" else 4


def _existing(path: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.is_dir())


def _gb(number: float) -> str:
    return f"{number / 1e9:,.1f} GB"
