"""``results.json``: the figures of a benchmark, and everything that decides them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field, JsonValue, ValidationError, model_validator

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.figures import Checked, Figure

FORMAT = "cologen-results/1"
FINGERPRINT = "dataset"
"""The key of a protocol under which a benchmark puts its dataset's fingerprint."""

_PACKAGES = {
    "cologen": "cologen-evaluation",
    "torch": "torch",
    "transformers": "transformers",
    "diffusers": "diffusers",
    "numpy": "numpy",
    "pillow": "pillow",
    "opencv-python": "opencv-python",
    "torchmetrics": "torchmetrics",
    "kornia": "kornia",
    "scipy": "scipy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What decides the figures beside the benchmark: which model generated with which settings, and what read it.

    ``networks`` are identities by the name that needs use. ``unmeasured`` says of metrics that were not measured why.
    ``versions`` are of what scored, which may be older than what writes the report.
    """

    model: str
    seed: int
    networks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    generation: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    unmeasured: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    versions: Mapping[str, str] = field(default_factory=lambda: versions())


class RejectedRow(Checked):
    """A row of the dataset that is no item."""

    sample_id: str
    stage: str
    reason: str
    detail: str


class BenchmarkFacts(Checked):
    """What was asked, under which protocol."""

    name: str
    title: str
    num_items: int = Field(ge=0)
    num_outputs: int = Field(ge=0)
    num_clusters: int = Field(ge=0)
    fingerprint: str
    protocol: Mapping[str, str]
    sampling: Mapping[str, float]
    networks: Mapping[str, str]
    """What the protocol asks for; ``RunFacts.networks`` are those that read the pictures."""
    shareable: bool
    tables: tuple[str, ...]
    notes: tuple[str, ...]
    rejected: tuple[RejectedRow, ...]


class RunFacts(Checked):
    """``Run``, as written."""

    model: str
    seed: int
    networks: Mapping[str, str]
    generation: Mapping[str, JsonValue]
    unmeasured: Mapping[str, str]
    versions: Mapping[str, str]


class BootstrapFacts(Checked):
    """``Bootstrap``, as written."""

    seed: int
    resamples: int = Field(ge=1)
    level: float = Field(gt=0, lt=1)


class Results(Checked):
    """Everything that a report says; figures are by candidate (``model``, ``oracle``, ``identity``)."""

    format: Literal["cologen-results/1"] = FORMAT
    benchmark: BenchmarkFacts
    run: RunFacts
    bootstrap: BootstrapFacts
    candidates: Mapping[str, tuple[Figure, ...]]
    resized: Mapping[str, int] = Field(default_factory=dict)
    """How many outputs of a candidate are of another size than what they are compared with; none are left out."""

    def figure(self, candidate: str, metric: str) -> Figure | None:
        """A candidate's figure of a metric; None where it was not measured."""
        return next((each for each in self.candidates.get(candidate, ()) if each.metric == metric), None)

    @model_validator(mode="after")
    def _of_the_same_benchmark(self) -> Results:
        for candidate, figures in self.candidates.items():
            for each in figures:
                if each.counts.expected != self.benchmark.num_outputs:
                    raise ValueError(
                        f"{candidate}, {each.metric} expects {each.counts.expected} outputs, "
                        f"but the benchmark has {self.benchmark.num_outputs}"
                    )
        return self


def results_of(
    benchmark: Benchmark,
    run: Run,
    bootstrap: Bootstrap,
    candidates: Mapping[str, Sequence[Figure]],
    resized: Mapping[str, int] = MappingProxyType({}),
) -> Results:
    """The record of these figures."""
    return Results(
        benchmark=BenchmarkFacts(
            name=benchmark.name,
            title=benchmark.title,
            num_items=len(benchmark.items),
            num_outputs=sum(item.num_outputs for item in benchmark.items),
            num_clusters=len({item.cluster for item in benchmark.items}),
            fingerprint=benchmark.protocol.get(FINGERPRINT, ""),
            protocol=dict(sorted(benchmark.protocol.items())),
            sampling=dict(sorted(benchmark.sampling.items())),
            networks=dict(sorted(benchmark.networks.items())),
            shareable=benchmark.shareable,
            tables=benchmark.tables,
            notes=benchmark.notes,
            rejected=tuple(
                RejectedRow(sample_id=each.sample_id, stage=each.stage, reason=str(each.reason), detail=each.detail)
                for each in benchmark.rejected
            ),
        ),
        run=RunFacts(
            model=run.model,
            seed=run.seed,
            networks=dict(sorted(run.networks.items())),
            generation=dict(sorted(run.generation.items())),
            unmeasured=dict(sorted(run.unmeasured.items())),
            versions=dict(run.versions),
        ),
        bootstrap=BootstrapFacts(seed=bootstrap.seed, resamples=bootstrap.resamples, level=bootstrap.level),
        candidates={name: tuple(figures) for name, figures in candidates.items()},
        resized={name: count for name, count in resized.items() if count},
    )


def versions() -> dict[str, str]:
    """Of what computes figures."""
    return {"python": platform.python_version()} | {name: version(package) for name, package in _PACKAGES.items()}


def encoded(results: Results) -> bytes:
    """The file's content: the same bytes for the same results."""
    return results.model_dump_json(indent=1).encode() + b"\n"


def read_results(path: Path) -> Results:
    """The results in a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or of another form; the message names the first field at fault.
    """
    try:
        return Results.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{path} holds no results that can be read: {where}: {first['msg']}") from None
