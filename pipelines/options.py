"""The options that every builder has, and what they mean: where pictures come from, where rows go, where it runs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from math import ceil
from pathlib import Path
from typing import TypeVar

from cologen.datagen.engine.cluster import Cluster, FailurePolicy
from cologen.datagen.images.addresses import limit_pictures
from cologen.datagen.manifest.folder import Folder, require_local
from cologen.datagen.pair_records import Condition, Pair
from cologen.datagen.pairs.filters import PairPolicy
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image
from cologen.datagen.usage import refusals_named, require_range, require_unused
from cologen.datagen.world.formats import World, ensure, world_format
from cologen.datagen.world.formats.drawing import SIDE_LIMITS, SPLITS, split_of
from cologen.datagen.world.levels import LevelName
from pipelines.console import CONSOLE, progress_over_scenes, working

DATA = Path("data")
PART_SIZE, WORLD_PART_SIZE = 512, 32
SCENES = 256  # of the synthetic dataset, where neither --scenes nor --limit asks for more

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Where pictures come from, where rows go, and where the work runs."""

    root: Path | None = None
    """The dataset's folder. Without it a synthetic dataset is generated in that dataset's format and used instead."""
    split: str = "train"
    """Which split of the dataset."""
    out: str | None = None
    """The manifest's folder, a path or a URI that pyarrow opens (s3://…). Default: data/TASK-SRC, with -SPLIT
    behind it where that is not train."""
    limit: int | None = None
    """Use the first so many pictures only."""
    seed: int = 0
    """Decides every random choice, together with a sample's id; never the number of workers or their order."""
    part_size: int | None = None
    """Pictures per part, the unit of work and resume. Default: 512, or 32 on the synthetic dataset."""
    scenes: int | None = None
    """Scenes of the synthetic dataset, where that is used. Default: 256, or as many as --limit takes."""
    scene_size: int = 256
    """Their side in pixels, 32 to 1024."""
    scene_level: LevelName = "rich"
    """How large and how varied their objects are: simple (seen in 32 pixels), usual (in 64) or rich."""
    address: str | None = None
    """A Ray cluster's address, or "auto" on one of its nodes. Default: this machine alone."""
    cpus: int | None = None
    """Without --address: how many cores to use. Default: all."""
    tries: int = 3
    """How often a part is tried where the disk, the network or a worker fails, with pauses that double."""
    max_failed_parts: int | None = None
    """End the build when more parts than this have failed for good. Default: a twentieth of all, at least 10."""
    max_picture_bytes: int | None = None
    """Reject larger encoded pictures unread. Default: COLOGEN_MAX_PICTURE_BYTES (training obeys it too), or 256 MiB."""
    part_timeout: float | None = None
    """End a worker that takes more seconds than this for one part, and try the part again. Default: no limit."""
    fresh: bool = False
    """Start over if the folder holds an older manifest, whatever its recipe."""
    dry_run: bool = False
    """Say what would be built, and write no manifest."""

    def __post_init__(self) -> None:
        if self.root is not None:
            require_local(self.root, "--root")
        require_range(self, "limit", "part_size", "scenes", "cpus", "tries", "max_picture_bytes", least=1)
        require_range(self, "seed", "max_failed_parts", least=0)
        require_range(self, "part_timeout", above=0)
        require_range(self, "scene_size", least=SIDE_LIMITS[0], most=SIDE_LIMITS[1])
        if self.root is not None:
            require_unused(
                self, "scenes", "scene_size", "scene_level", without="the synthetic dataset, in place of --root"
            )
        if self.address is not None:
            require_unused(self, "cpus", without="a cluster of this machine alone, in place of --address")

    @property
    def cluster(self) -> Cluster:
        """Where to run."""
        failures = FailurePolicy(
            tries=self.tries, max_failed_parts=self.max_failed_parts, part_timeout=self.part_timeout
        )
        return Cluster(address=self.address, num_cpus=self.cpus, failures=failures)

    def folder(self, task: str, source: str) -> Folder:
        """Where the manifest goes."""
        split = "" if self.split == "train" else f"-{self.split}"
        return Folder.open(self.out or DATA / f"{task}-{source}{split}")

    def reader(self, source: str) -> Reader[Image]:
        """The pictures: the dataset's under ``root``, or the synthetic dataset's, generated now if missing."""
        return self._read(Image, source, "pictures", world_format(source))

    def pair_reader(self, source: str) -> Reader[Pair]:
        """The pairs, of the dataset or the synthetic one as in ``reader``; limit and part size count pairs."""
        return self._read(Pair, source, "pairs", world_format(source))

    def condition_reader(self, source: str) -> Reader[Condition]:
        """The pictures with their conditions, of the dataset or the synthetic one as in ``reader``."""
        return self._read(Condition, source, "pictures", world_format(source, conditions=True))

    def _read(self, item: type[_Item], source: str, what: str, format_: str) -> Reader[_Item]:
        """The first ``limit`` samples of the dataset or the synthetic one; prints how many there are and where.

        Without --scenes the synthetic dataset has as many scenes as the limit takes: most give one sample or more.
        """
        if self.max_picture_bytes is not None:
            limit_pictures(self.max_picture_bytes)
        part_size = self.part_size or (PART_SIZE if self.root else WORLD_PART_SIZE)
        scenes = self.scenes or max(SCENES, _scenes_with(self.limit or 0, self.split))
        while True:
            root = (self.root or self._world(source, format_, scenes)).resolve()
            with working(f"reading the listing of {source}"):
                reader = Reader.of(item, source, root, self.split, part_size, self.limit)
            found = reader.recipe.num_images
            missing = self.limit is not None and found < self.limit
            if not missing or self.root or self.scenes:
                break
            scenes = ceil(1.05 * scenes * (self.limit or 0) / found)
        line = f"{found:,} {what} of {source} under {root}"
        if missing:
            held = "the dataset has no more" if self.root else f"--scenes {scenes:,} gives no more"
            line += f", fewer than --limit {self.limit:,}: {held} in its split {self.split!r}"
        CONSOLE.print(line)
        return reader

    def _world(self, source: str, format_: str, scenes: int) -> Path:
        CONSOLE.print(f"No --root: using a synthetic dataset in {source}'s format, not the real {source}.")
        side = self.scene_size
        world = World(num_scenes=scenes, width=side, height=side, seed=self.seed, level=self.scene_level)
        root = DATA / "world" / f"{format_}-{world.name}"
        with progress_over_scenes(scenes) as advance:
            ensure(format_, root, world, workers=self.cpus or 1, progress=advance)
        return root


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """When a pair is rejected for its pictures."""

    min_side: int = 64
    """Pixels: the shortest side of either picture."""
    min_change: int = 12
    """Levels of 255 by which some cell of their 32 x 32 thumbnails must differ; else two pictures are the same."""

    def __post_init__(self) -> None:
        with refusals_named():
            _ = self.policy()

    def policy(self, *, num_scores: int = 0, min_score: float = 0.0) -> PairPolicy:
        """The same as a part of the recipe, with what is asked of the scores."""
        return PairPolicy(
            num_scores=num_scores, min_score=min_score, min_side=self.min_side, min_change=self.min_change
        )


def _scenes_with(number: int, split: str) -> int:
    """The fewest scenes of which so many are in a split; 0 for a split that the synthetic dataset does not have."""
    if not number or split not in SPLITS:
        return 0
    return 1 + next(islice((index for index in count() if split_of(index) == split), number - 1, None))
