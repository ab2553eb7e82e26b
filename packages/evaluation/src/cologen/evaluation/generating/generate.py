"""Generates a benchmark's outputs: what is missing, by one process or many, in any order, with the same pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cologen.datagen.engine.actors import Load, WorkerSize, task_workers
from cologen.datagen.engine.cluster import Cluster
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.generating.asking import Asked, output_seed
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.inputs import digest_of_shown
from cologen.evaluation.records import Item, Picture, Question, ScoreError

Batch = list[Asked]
Outputs = list[Picture | ValueError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """How many outputs a run made, found there, and could not make."""

    made: int = 0
    found: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Where outputs are generated, and how many in one batch."""

    size: WorkerSize = WorkerSize()
    cluster: Cluster | None = None
    batch_size: int = 1


def generate(
    benchmark: Benchmark,
    folder: OutputFolder,
    load: Load[Batch, Outputs],
    *,
    seed: int,
    workers: Workers,
    progress: Callable[[int], None] = lambda _: None,
) -> Generated:
    """Generate the outputs that ``folder`` lacks; ``progress`` is called with the number of outputs just done.

    An item whose pictures are damaged, or that the model refuses, has a file that says why, and is tried again by the
    next run. Questions travel to the workers, pictures back: they need the model, and no dataset.

    Raises:
        Exception: what loading raises, and errors of the machine; what is committed stays.
    """
    wanted = folder.missing(benchmark.items)
    total = sum(item.num_outputs for item in benchmark.items)
    made, failed = 0, 0
    batches = _Batches(benchmark, wanted, seed, workers.batch_size, folder)
    with task_workers(load, workers.size, workers.cluster) as running:
        for index, outputs in running.results(batches):
            for (item, number, shown), output in zip(batches.places.pop(index), outputs, strict=True):
                folder.write(item.item_id, number, output, shown=shown)
                made, failed = (made, failed + 1) if isinstance(output, Exception) else (made + 1, failed)
            progress(len(outputs))
    return Generated(made=made, found=total - len(wanted), failed=failed + batches.num_unasked)


class _Batches:
    """The batches to generate, in order; an item is decoded when its first output is asked for."""

    def __init__(
        self,
        benchmark: Benchmark,
        wanted: Sequence[tuple[Item, int]],
        seed: int,
        batch_size: int,
        folder: OutputFolder,
    ) -> None:
        self._benchmark, self._wanted, self._seed = benchmark, wanted, seed
        self._batch_size, self._folder = batch_size, folder
        self.places: dict[int, list[tuple[Item, int, str]]] = {}
        """Which outputs each batch that is under way makes, and a hash of what the model is shown for each."""
        self.num_unasked = 0
        """Outputs whose item cannot be read."""

    def __iter__(self) -> Iterator[Batch]:
        batch: Batch = []
        places: list[tuple[Item, int, str]] = []
        count, held, shown = 0, (None, None), ""
        for item, number in self._wanted:
            if held[0] is not item:
                held, shown = (item, self._question(item)), self._shown(item)
            if isinstance(held[1], ScoreError):
                self._folder.write(item.item_id, number, held[1])
                self.num_unasked += 1
                continue
            assert isinstance(held[1], Question)
            batch.append(Asked(question=held[1], seed=output_seed(self._seed, item.item_id, number)))
            places.append((item, number, shown))
            if len(batch) == self._batch_size:
                self.places[count] = places
                yield batch
                batch, places, count = [], [], count + 1
        if batch:
            self.places[count] = places
            yield batch

    def _question(self, item: Item) -> Question | ScoreError:
        try:
            return self._benchmark.question(item)
        except ScoreError as error:
            return error

    def _shown(self, item: Item) -> str:
        """Empty where it cannot be known, since a picture that only scoring needs is damaged."""
        try:
            return digest_of_shown(self._benchmark.expected(item))
        except ScoreError:
            return ""
