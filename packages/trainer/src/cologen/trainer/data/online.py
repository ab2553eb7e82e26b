"""HED and line drawings, extracted when a batch is made: in this process, or by a pool of Ray actors.

Where they are made changes no batch. Ray is imported only where a pool is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from cologen.datagen.control.hed import load_hed
from cologen.datagen.control.lineart import load_lineart
from cologen.datagen.control.maps import Extractor, Images
from cologen.datagen.control.policy import HUB
from cologen.datagen.engine.cluster import Cluster
from cologen.datagen.engine.pool import Batch as Numbered
from cologen.datagen.engine.pool import InProcess, PoolSize, ray_pool
from cologen.datagen.pair_records import ConditionKind
from cologen.trainer.data.batch import Batch
from cologen.trainer.data.fetching import Failure
from cologen.trainer.data.manifests import ManifestRows, read_columns

Drawing = Callable[[Iterable[Numbered]], Iterator[Numbered]]
"""Pictures to maps under the same numbers, in order: ``control_pool.Extraction.maps``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A batch in progress: ``online`` names the extractor that still has to compute a sample's source."""

    batch: Batch
    online: tuple[ConditionKind | None, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineControl:
    """The networks' weights (a checkpoint, the folder that holds it, or a name on the hub), and where they run."""

    hed: str | Path = HUB
    lineart: str | Path = HUB
    num_actors: int = 0
    """Ray actors for each network; 0 runs it in this process, on the training device."""
    gpus_per_actor: float = 0.0
    """GPUs that each actor reserves: 1, or less to share one; 0 runs it on the CPU."""
    cluster: Cluster = Cluster()

    def load(self, kind: ConditionKind, device: str) -> partial[Extractor]:
        """A function that loads a kind's extractor, in this process or another."""
        weights = {"hed": self.hed, "lineart": self.lineart}[kind]
        return partial(_loaded, kind, weights, device)

    @contextmanager
    def drawings(
        self, kinds: Collection[ConditionKind], device: torch.device
    ) -> Generator[dict[ConditionKind, Drawing], None, None]:
        """The extractor of each kind, for the length of the block.

        Raises:
            FileNotFoundError: the weights are missing.
            ValueError: they are of another network.
        """
        if not self.num_actors:
            yield {kind: InProcess(self.load(kind, str(device))()).maps for kind in sorted(kinds)}
            return
        size = PoolSize(num_actors=self.num_actors, num_gpus=self.gpus_per_actor)
        elsewhere, cluster = "cuda" if self.gpus_per_actor else "cpu", self.cluster
        if cluster == Cluster():  # on this machine make room for all of them, however few its cores
            cluster = Cluster(num_cpus=self.num_actors * len(kinds))
        with ExitStack() as stack:
            yield {
                kind: stack.enter_context(ray_pool(self.load(kind, elsewhere), size, cluster)).maps
                for kind in sorted(kinds)
            }


def kinds_wanted(rows: ManifestRows) -> frozenset[ConditionKind]:
    """The extractors that the rows of a manifest ask for."""
    if rows.task != "control":
        return frozenset()
    columns = read_columns(rows, ["condition", "online"])
    return frozenset(columns["condition"].filter(columns["online"]).unique().to_pylist())


def drawn(stream: Iterator[Prepared], kind: ConditionKind, drawing: Drawing) -> Generator[Prepared, None, None]:
    """The same batches in the same order, with the sources that ``kind`` computes; as many are fetched ahead as it asks
    for."""
    waiting = deque[Prepared]()

    def pictures() -> Iterator[tuple[int, Images]]:
        for number, prepared in enumerate(stream):
            waiting.append(prepared)
            yield number, _pictures(prepared, kind)

    for _, maps in drawing(pictures()):
        yield _with_maps(waiting.popleft(), kind, maps)


def _pictures(prepared: Prepared, kind: ConditionKind) -> Images:
    """The pictures of a batch that wait for this extractor, in [0, 1]; perhaps none."""
    source = prepared.batch.source
    assert source is not None
    return source[_chosen(prepared, kind)].contiguous() / 255


def _with_maps(prepared: Prepared, kind: ConditionKind, maps: Images) -> Prepared:
    source = prepared.batch.source
    assert source is not None
    if not len(maps):
        return prepared
    changed = source.clone()
    changed[_chosen(prepared, kind)] = (255 * maps).round().to(source)
    return replace(prepared, batch=replace(prepared.batch, source=changed))


def _chosen(prepared: Prepared, kind: ConditionKind) -> list[int]:
    return [number for number, each in enumerate(prepared.online) if each == kind]


def _loaded(kind: ConditionKind, weights: str | Path, device: str) -> Extractor:
    extractor = load_hed(weights, device=device) if kind == "hed" else load_lineart(weights, device=device)
    return partial(_of_some, extractor)


def _of_some(extractor: Extractor, images: Images) -> Images:
    """No pictures have no maps; the networks need at least one."""
    return extractor(images) if len(images) else images
