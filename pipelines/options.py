"""The options that every builder has, and what they mean: where pictures come from, where rows go, where it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cologen.datagen.build import Cluster
from cologen.datagen.stages.reading import ConditionReader, PairReader, SourceReader
from cologen.datagen.storage import Folder
from cologen.datagen.world.layouts import ensure
from pipelines.console import CONSOLE, progress_over_scenes

DATA = Path("data")
WORLD_LAYOUTS = {"refcoco+": "refcoco", "refcocog": "refcoco"}  # one layout holds all three
CONDITION_LAYOUTS = {"cocostuff": "captioned_cocostuff"}  # ADE20K's holds its captioned form too
PART_SIZE, WORLD_PART_SIZE = 512, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Where pictures come from, where rows go, and where the work runs."""

    root: Path | None = None
    """The dataset's folder. Without it the synthetic world is drawn in that dataset's layout and used instead."""
    split: str = "train"
    """Which split of the dataset."""
    out: str | None = None
    """The manifest's folder, a path or a URI that pyarrow opens (s3://…). Default: data/TASK-SRC."""
    limit: int | None = None
    """Use the first so many pictures only."""
    seed: int = 0
    """Decides every random choice, together with a sample's id; never the number of workers or their order."""
    part_size: int | None = None
    """Pictures per part, the unit of work and resume. Default: 512, or 32 on the synthetic world."""
    scenes: int = 256
    """Pictures of the synthetic world, where that is used."""
    scene_size: int = 256
    """Their side in pixels, 32 to 1024."""
    address: str | None = None
    """A Ray cluster's address, or "auto" on one of its nodes. Default: this machine alone."""
    cpus: int | None = None
    """Without --address: how many cores to use. Default: all."""
    fresh: bool = False
    """Start over if the folder holds an older manifest, whatever its recipe."""
    dry_run: bool = False
    """Say what would be built, and write no manifest."""

    def __post_init__(self) -> None:
        for name in ("limit", "part_size", "scenes", "cpus"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {value}")

    @property
    def cluster(self) -> Cluster:
        """Where to run."""
        return Cluster(address=self.address, num_cpus=self.cpus)

    def folder(self, task: str, source: str) -> Folder:
        """Where the manifest goes."""
        return Folder.open(self.out or DATA / f"{task}-{source}")

    def reader(self, source: str) -> SourceReader:
        """The pictures: the dataset's under ``root``, or the synthetic world's, drawn now if it is not there yet."""
        reader = SourceReader.of(*self._slice(source, WORLD_LAYOUTS.get(source, source)))
        CONSOLE.print(f"{reader.recipe.num_images:,} pictures of {source} under {reader.root}")
        return reader

    def pair_reader(self, source: str) -> PairReader:
        """The pairs, of the dataset or of the synthetic world as in ``reader``; limit and part size count pairs."""
        reader = PairReader.of(*self._slice(source, source))
        CONSOLE.print(f"{reader.recipe.num_images:,} pairs of {source} under {reader.root}")
        return reader

    def condition_reader(self, source: str) -> ConditionReader:
        """The pictures with their conditions, of the dataset or of the synthetic world as in ``reader``."""
        reader = ConditionReader.of(*self._slice(source, CONDITION_LAYOUTS.get(source, source)))
        CONSOLE.print(f"{reader.recipe.num_images:,} pictures of {source} under {reader.root}")
        return reader

    def _slice(self, source: str, layout: str) -> tuple[str, Path, str, int, int | None]:
        """What a reader is made of."""
        root = (self.root or self._world(source, layout)).resolve()
        part_size = self.part_size or (PART_SIZE if self.root else WORLD_PART_SIZE)
        return source, root, self.split, part_size, self.limit

    def _world(self, source: str, layout: str) -> Path:
        root = DATA / "world" / f"{layout}-{self.scenes}x{self.scene_size}-seed{self.seed}"
        CONSOLE.print(f"No --root: using the synthetic world, drawn in {source}'s layout, not the real {source}.")
        size = {"width": self.scene_size, "height": self.scene_size}
        with progress_over_scenes(self.scenes) as advance:
            ensure(
                layout, root, num_scenes=self.scenes, **size, seed=self.seed, workers=self.cpus or 1, progress=advance
            )
        return root
