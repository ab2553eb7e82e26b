"""The options of `evaluate`: what is asked, of which model, how it is scored, and where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro
from tyro.extras import literal_type_from_choices

from cologen.datagen.usage import require_device, require_gpus, require_range, require_unused
from cologen.datagen.weights import device_named
from cologen.evaluation.benchmarks.catalog import BENCHMARKS
from cologen.evaluation.benchmarks.options import Options as ProtocolOptions
from cologen.evaluation.generating.asking import SamplingSettings
from cologen.evaluation.judges.options import JudgeOptions
from cologen.evaluation.networks.loading import DEFAULTS
from cologen.evaluation.scoring.candidates import Candidate
from cologen.model.gpus import gpu_named
from cologen.model.opening import PipelineSpec

if TYPE_CHECKING:
    Bench = str
else:
    Bench = literal_type_from_choices(tuple(BENCHMARKS))

NETWORKS = tuple(DEFAULTS)

_Prefixless = tyro.conf.OmitArgPrefixes


def networks_of_options(network: Sequence[str]) -> dict[str, str]:
    """What ``--network NAME=PATH …`` says, by name.

    Raises:
        ValueError: not NAME=PATH, or an unknown name.
    """
    found: dict[str, str] = {}
    for each in network:
        name, equals, path = each.partition("=")
        if name not in NETWORKS or not equals or not path:
            raise ValueError(f"--network is NAME=PATH with NAME one of {', '.join(NETWORKS)}, got {each!r}")
        found[name] = path
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """The model whose outputs are evaluated."""

    adapter: Path | None = None
    """Folder of a trained adapter. Without it the base alone is evaluated."""
    stage: int | None = None
    """Which stage of the adapter, from 0. Default: its newest."""
    base: str | None = None
    """A FLUX.1 folder as diffusers writes it, or its name on the hub. Default: the bundled model, see --preset."""
    preset: Literal["world-tiny", "world-small"] = "world-tiny"
    """Which model trained on the synthetic dataset, where there is no --base."""
    weights: Path | None = None
    """Its weights (safetensors). Default: the bundled ones of world-tiny."""
    steps: int | None = None
    """Denoising steps. Default: the benchmark's protocol, or what the base's authors use."""
    guidance: float | None = None
    """For bases that were distilled with it. Default: what the base's authors use."""
    true_cfg: float | None = None
    """Scale of classifier-free guidance against the protocol's negative prompt. Default: the protocol's, or none."""
    seed: int = 0
    """Decides the noise of every output, together with the item's id and the output's number alone."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the model's weights: auto is bfloat16 on a GPU, and float32 elsewhere."""

    @property
    def sampling(self) -> SamplingSettings:
        """What is set here, over the benchmark's protocol."""
        return SamplingSettings(
            num_inference_steps=self.steps, guidance_scale=self.guidance, true_cfg_scale=self.true_cfg
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """How outputs are scored. A metric whose network is not given is not measured, and the report says so."""

    candidates: tuple[Candidate, ...] = ("model", "oracle", "identity")
    """Whose outputs: the model's, the target itself, the untouched source; blank, noise and shuffled are at chance."""
    network: tuple[str, ...] = ()
    """NAME=PATH or NAME=HUB_NAME of the networks: clip, dino, inception, depth, segmenter, hed, lineart. Default: the
    protocol's, from the hub's cache on this machine."""
    download: bool = False
    """Fetch the protocol's networks from the hub where they are not on this machine."""
    judge_endpoint: str | None = None
    """An OpenAI-compatible endpoint that judges edits, such as http://127.0.0.1:8000/v1."""
    judge_model: str | None = None
    """The judge's name at --judge-endpoint."""
    judge_key_variable: str | None = None
    """The environment variable that holds the endpoint's key; the key is neither logged nor stored."""
    judge_folder: Path | None = None
    """In place of an endpoint: the folder of a vision-language model."""
    judge_concurrency: int = 8
    """Questions that the endpoint is asked at a time."""
    judge_timeout: float = 120.0
    """Seconds that the endpoint may take for an answer."""
    judge_tries: int = 5
    """How often a question is asked where the endpoint does not answer."""
    judge_cache: Path | None = None
    """Where the judge's answers are kept: the same question is asked once. Default: OUT/judge."""

    @property
    def networks(self) -> dict[str, str]:
        """Those that are given, by name."""
        return networks_of_options(self.network)

    def judge(self, folder: Path, device: str) -> JudgeOptions:
        """Which model judges, with its answers kept in ``folder`` unless --judge-cache says otherwise."""
        return JudgeOptions(
            cache_folder=self.judge_cache or folder,
            endpoint=self.judge_endpoint,
            model=self.judge_model,
            key_variable=self.judge_key_variable,
            folder=self.judge_folder,
            device=device,
            concurrency=self.judge_concurrency,
            timeout=self.judge_timeout,
            tries=self.judge_tries,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """Where it runs."""

    device: str = "auto"
    """cpu or cuda; auto takes a GPU if there is one, or if --gpus-per-worker reserves one."""
    workers: int = 1
    """Processes that generate and score; results do not depend on it. More than one runs on Ray."""
    threads: int = 1
    """CPU threads of each; on a CPU the last bits of a sum depend on it."""
    gpus_per_worker: float = 0.0
    """GPUs that Ray reserves for each worker."""
    batch_size: int = 1
    """Outputs in one call of the model on a GPU; on a CPU each is a call of its own."""
    address: str | None = None
    """A Ray cluster's address, or "auto" on one of its nodes. Default: this machine alone."""

    @property
    def worker_device(self) -> str:
        """Where a worker computes: this machine, which may be a cluster's head, need not have the workers' GPUs."""
        return "cuda" if self.gpus_per_worker and self.device == "auto" else str(device_named(self.device))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Evaluate a model on a benchmark: generate its outputs, score them, report.

    Each step keeps what is there, so the same command continues after a stop. Without --root the benchmark's own layout
    is filled from the synthetic dataset. Nothing is downloaded unless --download says so.
    """

    bench: Bench
    """The benchmark."""
    root: Path | None = None
    """The benchmark's dataset as distributed."""
    out: Path | None = None
    """Folder for outputs, scores and report. Default: runs/evaluation/BENCH."""
    only: Literal["all", "generate", "score", "report"] = "all"
    """Run one step alone, on what the steps before it left in --out."""
    images: Path | None = None
    """A folder of another model's outputs, named ITEM.png or ITEM-NUMBER.png: scored in place, nothing is generated."""
    scenes: int = 64
    """Scenes of the synthetic dataset, where that is used."""
    protocol: _Prefixless[ProtocolOptions] = field(default_factory=ProtocolOptions)
    model: _Prefixless[ModelOptions] = field(default_factory=ModelOptions)
    scoring: _Prefixless[ScoringOptions] = field(default_factory=ScoringOptions)
    place: _Prefixless[PlaceOptions] = field(default_factory=PlaceOptions)
    gallery: bool | None = None
    """Put pictures into the report. Default: where the dataset's pictures may be passed on."""
    gpu: str = "h100"
    """The GPU whose hours --dry-run forecasts."""
    fresh: bool = False
    """Generate anew what another model or protocol left in --out."""
    dry_run: bool = False
    """Say how many items there are, what is missing and how many GPU hours it takes; generate and score nothing."""

    def __post_init__(self) -> None:
        require_range(self, "scenes", least=2)
        require_range(self.model, "steps", least=1)
        require_range(self.model, "stage", "guidance", least=0)
        require_range(self.model, "true_cfg", least=1)
        require_range(self.model, "seed", least=0, most=2**64 - 1)
        require_range(self.scoring, "judge_concurrency", "judge_tries", least=1)
        require_range(self.scoring, "judge_timeout", above=0)
        if not self.scoring.candidates:
            raise ValueError("--candidates needs one or more of them, such as model")
        if len(set(self.scoring.candidates)) < len(self.scoring.candidates):
            raise ValueError(f"--candidates names one twice: {' '.join(self.scoring.candidates)}")
        require_range(self.place, "workers", "threads", "batch_size", least=1)
        require_gpus(self.place, "gpus_per_worker")
        require_device(self.place)
        _ = gpu_named(self.gpu)
        if self.root is not None:
            require_unused(self, "scenes", without="the synthetic dataset, in place of --root")
        if self.model.base is not None:
            require_unused(self.model, "preset", "weights", without="a bundled model, in place of --base")
        if self.images is not None and not self.images.is_dir():
            raise ValueError(f"--images {self.images} is no folder")
        if self.images is not None and (self.fresh or self.model.seed):
            raise ValueError("--fresh and --seed are for outputs that are generated, not for --images")
        if self.images is not None and self.only == "generate":
            raise ValueError("--images are there already: nothing is to be generated")
        if self.images is not None:
            require_unused(
                self.model, "adapter", "stage", "base", "weights", without="outputs to generate: see --images"
            )
        _ = self.scoring.networks
        _ = self.scoring.judge(self.folder, "cpu")

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        return self.out or Path("runs", "evaluation", self.bench)

    @property
    def pipeline(self) -> PipelineSpec:
        """The model to evaluate."""
        device = self.place.worker_device
        dtype = self.model.dtype
        if dtype == "auto":
            dtype = "bfloat16" if device.startswith("cuda") else "float32"
        return PipelineSpec(
            base=self.model.base,
            preset=self.model.preset,
            weights=self.model.weights,
            adapter=self.model.adapter,
            stage=self.model.stage,
            device=device,
            dtype=dtype,
        )
