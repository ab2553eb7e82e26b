"""The options of `build_inpaint`: which masks, and how objects are found where the dataset has none."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cologen.datagen.concepts.detector_settings import DetectorSettings
from cologen.datagen.engine.jobs import Job
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.masks.policy import MaskMix, MaskPolicy
from cologen.datagen.passes.concepts import ConceptPass
from cologen.datagen.passes.reading import Reader
from cologen.datagen.passes.segmenters import ConceptRecipe, GroundedFiles, SaliencyRecipe
from cologen.datagen.records import Image
from cologen.datagen.usage import refusals_named, require_device, require_gpus, require_range, require_unused
from pipelines.options import BuildOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskOptions:
    """Which masks, how many, and their rules."""

    mix: tuple[float, float, float] = (0.2, 0.4, 0.4)
    """Shares of random, object and irregular masks."""
    variants: int = 1
    """Masks per picture."""
    preset: str = "train"
    """LaMa's random masks: train, thin, medium, thick, class-default, scaled with the picture; …-px for raw pixels."""
    max_object_iou: float = 0.3
    """Random masks that overlap any object more than this are drawn anew."""
    max_object_coverage: float = 1.0
    """The most of any object that a random mask may hide; 1 is the paper's rule alone."""
    dilation: float = 0.0
    """How far object masks grow, in pixels at 512 x 512."""

    def __post_init__(self) -> None:
        require_range(self, "variants", least=1)
        with refusals_named():
            _ = self.policy

    @property
    def policy(self) -> MaskPolicy:
        """The same as a part of the recipe."""
        return MaskPolicy(
            mix=MaskMix(random=self.mix[0], object=self.mix[1], irregular=self.mix[2]),
            random_preset=self.preset,
            max_object_iou=self.max_object_iou,
            max_object_coverage=self.max_object_coverage,
            dilation=self.dilation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptOptions:
    """How objects are found where the dataset has none: by saliency, or with the three files of GroundingDINO + SAM."""

    concepts: str | None = None
    """Folder of the concept manifest, to share it between mask policies. Default: OUT-concepts."""
    fresh_concepts: bool = False
    """Find the objects anew."""
    nouns: str = "auto"
    """A spaCy model by name or path; auto takes en_core_web_sm if installed, otherwise tables and rules."""
    dino_config: Path | None = None
    """GroundingDINO's config, such as GroundingDINO_SwinT_OGC.py."""
    dino_checkpoint: Path | None = None
    """GroundingDINO's weights, such as groundingdino_swint_ogc.pth."""
    sam_checkpoint: Path | None = None
    """Segment Anything's weights, such as sam_vit_h_4b8939.pth."""
    text_encoder: str = "bert-base-uncased"
    """BERT for GroundingDINO: a folder, or a name on the hub."""
    device: str = "auto"
    """cpu, cuda, or auto: the GPU where there is one."""
    detector: DetectorSettings = DetectorSettings()
    """What GroundingDINO keeps."""
    mask_iou: float = 1.0
    """Of two masks that overlap by more, keep the better one."""
    actors: int = 1
    """Processes that hold the weights."""
    gpus_per_actor: float = 0.0
    """GPUs of each: 1, or less to share one."""

    def __post_init__(self) -> None:
        require_range(self, "actors", least=1)
        require_range(self, "mask_iou", least=0, most=1)
        require_gpus(self, "gpus_per_actor")
        require_device(self)
        if self._files() is None:
            files, detector = "the three files of GroundingDINO + SAM", (each.name for each in fields(self.detector))
            require_unused(self, "text_encoder", "mask_iou", "actors", "gpus_per_actor", without=files)
            require_unused(self.detector, *detector, without=files)

    def pass_(self, reader: Reader[Image], out: Folder) -> ConceptPass:
        """The concept pass over these pictures, beside the manifest that will use it."""
        # Here and not above: spaCy takes seconds to import, and --help needs none of it.
        from cologen.datagen.concepts.nouns import open_nouns

        files = self._files()
        segmenter = files.recipe(self.detector, self.mask_iou) if files else SaliencyRecipe()
        return ConceptPass(
            folder=Folder.open(self.concepts) if self.concepts else out.sibling("-concepts"),
            recipe=ConceptRecipe(source=reader.recipe, nouns=open_nouns(self.nouns).name, segmenter=segmenter),
            reader=reader,
            files=files,
            nouns=self.nouns,
        )

    def job(self, pass_: ConceptPass) -> Job:
        """The pass with its workers: actors where there are weights to hold, plain tasks otherwise."""
        actors = self.actors if pass_.files else None
        return Job(pass_=pass_, num_actors=actors, num_gpus=self.gpus_per_actor, fresh=self.fresh_concepts)

    def _files(self) -> GroundedFiles | None:
        named = (self.dino_config, self.dino_checkpoint, self.sam_checkpoint)
        if named == (None, None, None):
            return None
        config, checkpoint, sam = named
        if config is None or checkpoint is None or sam is None:
            raise ValueError("GroundingDINO + SAM needs --dino-config, --dino-checkpoint and --sam-checkpoint together")
        return GroundedFiles(
            config=config, checkpoint=checkpoint, sam=sam, text_encoder=self.text_encoder, device=self.device
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintOptions:
    """Build mask-inpainting data on Ray: random, object and irregular masks at 20 / 40 / 40 %, one row per sample.

    Stopped at any time, the same command continues where it was. Any number of workers gives the same bytes.
    """

    src: Literal["journeydb", "cocostuff", "ade20k"]
    """The dataset whose format is read. JourneyDB has no object masks, so its objects are found first."""
    build: Annotated[BuildOptions, tyro.conf.OmitArgPrefixes] = BuildOptions()
    masks: Annotated[MaskOptions, tyro.conf.OmitArgPrefixes] = MaskOptions()
    concepts: Annotated[ConceptOptions, tyro.conf.OmitArgPrefixes] = ConceptOptions()
