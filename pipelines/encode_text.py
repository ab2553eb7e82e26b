"""``python -m pipelines.encode_text --recipe cologen-klein --base DIR``: all text embeddings of a recipe, ahead.

Training then reads them (``--set stored_text=true``), and never loads the text encoders. A prompt's embeddings are one
file, the same to the byte for any number of workers: a killed command goes on with the prompts that have none.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from cologen.datagen.engine.actors import WorkerSize, task_workers
from cologen.datagen.engine.cluster import Cluster
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.usage import require_device, require_gpus, require_range
from pipelines.console import CONSOLE, progress_over_count, run, timed, working

if TYPE_CHECKING:
    from cologen.trainer.loop.kept_files import Kept
    from cologen.trainer.loop.stored_text import Encoded
    from cologen.trainer.recipes.curriculum import Recipe

_PER_TASK = 16
"""Prompts that a worker encodes and stores before it reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeTextOptions:
    """Encode every prompt that a recipe's training can ask for, and store the embeddings beside its data.

    These are the captions of all its manifests, those held out included, and the empty prompt; pictures are not needed.
    Give --recipe, --set, --data and --base as to train; then add --set stored_text=true there.
    """

    recipe: str = "world"
    """A recipe's name (cologen-flux, cologen-klein, world …), or a .toml file."""
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Override a field of the recipe by its dotted name. Another precision or preset has other embeddings."""
    data: Path = Path("data")
    """The folder that holds the manifests; the embeddings go into its folder text."""
    base: Path | None = None
    """The base's folder as diffusers writes it; only its text encoders and tokenizers are read."""
    stage: str | None = None
    """Only the prompts of this stage, by number or task. Default: those of all."""
    max_gb: float | None = None
    """The most that these embeddings may take on disk, in GB (10⁹). Default: what leaves a tenth of the disk free."""
    actors: int = 1
    """Processes that encode; more than one, or an --address, are on Ray."""
    gpus_per_actor: float = 0.0
    """GPUs that Ray reserves for each; a share of one is allowed. One process alone takes the --device without it."""
    device: str = "auto"
    """cpu, cuda, or auto: the GPU if there is one. Encode on the kind of device that training is on: others differ in
    the last bits."""
    address: str | None = None
    """A Ray cluster's address, or "auto" on one of its nodes, all of which see --data and --base. Default: this machine
    alone."""
    dry_run: bool = False
    """Say how many prompts there are and what they take on disk, and encode nothing; the exit code is 1 if they do not
    fit."""

    def __post_init__(self) -> None:
        require_range(self, "max_gb", above=0)
        require_range(self, "actors", least=1)
        require_gpus(self, "gpus_per_actor")
        require_device(self)
        if self.gpus_per_actor and self.actors == 1 and self.address is None:
            raise ValueError("--gpus-per-actor is what Ray reserves: it needs several --actors, or an --address")

    @property
    def cluster(self) -> Cluster | None:
        """Where to run; None: one process needs no Ray."""
        return None if self.address is None else Cluster(address=self.address)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(EncodeTextOptions, _encode, args)


@dataclass(slots=True, kw_only=True)
class _Room:
    """Bytes that the embeddings may take, and what they are expected to take: as the stored ones do, on average."""

    allowed: float
    at_most: int
    """Of one prompt that has not been encoded."""
    used: int
    """On disk now."""
    num_stored: int
    left: int
    """Prompts to be encoded."""
    rejected: list[str] = field(default_factory=list)

    @property
    def each(self) -> float:
        """Of one prompt: measured, or at most."""
        return self.used / self.num_stored if self.num_stored else float(self.at_most)

    @property
    def needed(self) -> float:
        """When all are stored."""
        return self.used + self.left * self.each

    def add(self, done: Encoded) -> None:
        """Count what became of some prompts."""
        self.used += sum(done.sizes)
        self.num_stored += len(done.sizes)
        self.rejected += done.rejected
        self.left -= len(done.sizes) + len(done.rejected)

    def require(self) -> None:
        """Raises ValueError if they are not expected to fit."""
        if self.needed > self.allowed:
            raise ValueError(
                f"the embeddings of {self.num_stored + self.left:,} prompts need about {_gb(self.needed)} "
                f"({self.each / 1e6:.2f} MB each), and {_gb(self.allowed)} are allowed: make room, raise --max-gb, "
                "give a --data on a larger disk, or encode one --stage at a time. What is stored is kept; training "
                "without it: --set offload_text=true"
            )


def _encode(options: EncodeTextOptions) -> int:
    from cologen.model.presets import preset  # here and not above: torch takes seconds, and --help needs none of it
    from cologen.trainer.data.prompts import prompts_of
    from cologen.trainer.data.world import WORLD, ensure_manifests, is_of_world, is_whole
    from cologen.trainer.dry_run.disk import bytes_of_prompt
    from cologen.trainer.loop.stored_text import not_stored, stored_text
    from cologen.trainer.recipes.catalog import load_recipe

    recipe = load_recipe(options.recipe, options.set)
    numbers = range(len(recipe.stages)) if options.stage is None else [recipe.stages.index(recipe.stage(options.stage))]
    kept = stored_text(recipe, options.base, options.data)
    if preset(recipe.preset).family == "world":
        names = recipe.manifests_of(numbers)
        if not options.dry_run:
            ensure_manifests(options.data, names, WORLD, CONSOLE.print, workers=os.cpu_count() or 1)
        elif absent := [name for name in names if is_of_world(name) and not is_whole(options.data / name)]:
            raise FileNotFoundError(
                f"{options.data / absent[0]} is not built yet, and its captions are not known: without --dry-run it is "
                "built first"
            )
    with working("reading the captions"):
        prompts = prompts_of(recipe, numbers, options.data)
    if options.dry_run:
        room = _room(options, kept, len(not_stored(kept, prompts)), bytes_of_prompt(recipe))
        _print_plan(kept, len(prompts), room)
        return int(room.needed > room.allowed)
    folder = Folder.open(kept.folder)
    folder.create()
    with folder.locked("encoding into"), timed() as seconds:
        kept.sweep()
        todo = not_stored(kept, prompts)
        room = _room(options, kept, len(todo), bytes_of_prompt(recipe))
        _print_plan(kept, len(prompts), room)
        if todo:
            _make(options, recipe, kept, todo, room)
    pace = f", {len(todo) / seconds():,.1f} prompts/s" if todo else ""
    CONSOLE.print(f"{kept.folder}: {len(prompts) - len(room.rejected):,} prompts, {_gb(room.used)}{pace}")
    if room.rejected:
        CONSOLE.print(f"rejected, since their embeddings are not finite: {len(room.rejected):,} prompts")
        CONSOLE.print(f"the first of them: {room.rejected[0]!r}")
    return int(bool(room.rejected))


def _room(options: EncodeTextOptions, kept: Kept, left: int, at_most: int) -> _Room:
    from cologen.trainer.loop.kept_files import MIN_FREE

    sizes = kept.sizes().values()
    home = kept.folder.absolute()
    disk = shutil.disk_usage(next(each for each in (home, *home.parents) if each.is_dir()))
    allowed = sum(sizes) + max(0.0, disk.free - MIN_FREE * disk.total)
    if options.max_gb is not None:
        allowed = min(allowed, options.max_gb * 1e9)
    return _Room(allowed=allowed, at_most=at_most, used=sum(sizes), num_stored=len(sizes), left=left)


def _print_plan(kept: Kept, num_prompts: int, room: _Room) -> None:
    known = "measured" if room.num_stored else "before compression"
    CONSOLE.print(f"{num_prompts:,} prompts, {num_prompts - room.left:,} of them stored in {kept.folder}")
    CONSOLE.print(
        f"disk: {_gb(room.needed)} for all ({room.each / 1e6:.3f} MB each, {known}), {_gb(room.used)} of it used, "
        f"{_gb(room.allowed)} allowed"
    )


def _make(options: EncodeTextOptions, recipe: Recipe, kept: Kept, todo: Sequence[str], room: _Room) -> None:
    """Encode and store what is missing; the first prompts tell the size of all.

    Raises:
        ValueError: all of them will not fit, as far as the sizes so far tell.
    """
    from cologen.trainer.loop.stored_text import text_maker

    if room.num_stored:
        room.require()
    base = None if options.base is None else options.base.absolute()  # workers may run in another folder
    load = partial(text_maker, recipe, base, kept.folder.absolute(), int(room.allowed), options.device)
    size = WorkerSize(num_workers=options.actors, num_gpus=options.gpus_per_actor)
    tasks = (todo[first : first + _PER_TASK] for first in range(0, len(todo), _PER_TASK))
    with (
        progress_over_count(len(todo), "encoding", "prompts") as advance,
        task_workers(load, size, options.cluster) as workers,
    ):
        for _, done in workers.results(tasks):
            room.add(done)
            advance(len(done.sizes) + len(done.rejected))
            room.require()


def _gb(number: float) -> str:
    return f"{number / 1e9:,.2f} GB" if number >= 1e7 else f"{number / 1e6:,.2f} MB"


if __name__ == "__main__":
    sys.exit(main())
