"""``python -m pipelines.build_world --out DIR --scenes N``: the synthetic dataset in every format."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from tyro.extras import literal_type_from_choices

from cologen.datagen.usage import require_range, require_unused
from cologen.datagen.world.formats import WRITERS, World, ensure, is_complete
from cologen.datagen.world.levels import LevelName
from pipelines.console import CONSOLE, progress_over_scenes, run

FORMATS = tuple(name for name in WRITERS if name != "journeydb_archives")  # which --archives chooses
if TYPE_CHECKING:
    Format = str
else:
    Format = literal_type_from_choices(FORMATS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Generate the synthetic dataset in the on-disk formats of the public datasets.

    Scene k is the same scene in every format; about one in ten belongs to the validation split. A format that is
    already there with the same settings is kept; a folder that holds anything else is refused.
    """

    out: Path
    """Folder for the formats: each gets a folder of its own name in it."""
    scenes: int
    """Number of scenes, at least 1."""
    width: int = 256
    """Width of the pictures in pixels, 32 to 1024."""
    height: int = 256
    """Height of the pictures in pixels, 32 to 1024."""
    seed: int = 0
    """Another seed gives other scenes."""
    level: LevelName = "rich"
    """How large and how varied the objects are: simple (seen in 32 pixels), usual (in 64) or rich."""
    layouts: tuple[Format, ...] = FORMATS
    """The formats to write."""
    archives: bool = False
    """Write JourneyDB as the published .tgz archives, not unpacked."""
    workers: int = os.cpu_count() or 1
    """Processes that draw; any number gives the same bytes."""
    dry_run: bool = False
    """Say what would be done, and write nothing."""

    def __post_init__(self) -> None:
        require_range(self, "workers", "scenes", least=1)
        if "journeydb" not in self.layouts:
            require_unused(self, "archives", without="journeydb among the --layouts")
        # ``World`` checks its own sizes; a ValueError here is shown as wrong usage.
        _ = self.world

    @property
    def world(self) -> World:
        """The scenes asked for."""
        return World(num_scenes=self.scenes, width=self.width, height=self.height, seed=self.seed, level=self.level)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _build, args)


def _build(options: Options) -> int:
    """Write the formats one after the other, and say what is there now."""
    world = options.world
    table = Table("format", "state", "files", "bytes", "seconds")
    for name in options.layouts:
        root = options.out / name
        format_ = "journeydb_archives" if options.archives and name == "journeydb" else name
        start = time.perf_counter()
        if options.dry_run:
            state = "is there" if is_complete(format_, root, world) else "would be written"
        else:
            with progress_over_scenes(world.num_scenes, name) as advance:
                written = ensure(format_, root, world, workers=options.workers, progress=advance)
            state = "written" if written else "was there"
        sizes = [path.stat().st_size for path in root.rglob("*") if path.is_file()]
        seconds = time.perf_counter() - start
        table.add_row(name, state, f"{len(sizes):,}", f"{sum(sizes):,}", f"{seconds:.1f}")
    CONSOLE.print(f"{world.num_scenes:,} scenes, each format in the folder of its name in {options.out}")
    CONSOLE.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
