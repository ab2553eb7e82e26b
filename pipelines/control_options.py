"""The options of `build_control`: which conditions, and which of their maps are precomputed."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cologen.datagen.control.edges import ThresholdRanges
from cologen.datagen.control.policy import ANYWHERE, HUB, KINDS, ConditionMix, ControlPolicy
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.passes.map_networks import MapWeights
from cologen.datagen.usage import refusals_named, require_device, require_gpus, require_range, require_unused
from pipelines.options import BuildOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionOptions:
    """Which conditions, and their rules."""

    mix: tuple[float, float, float, float, float] | None = None
    """Shares of canny, depth, hed, lineart and segmentation. Default: equal, over those that the source can give."""
    canny_low: tuple[int, int] = (50, 150)
    """Where Canny's low threshold is drawn from, in grey levels."""
    canny_high: tuple[int, int] = (150, 250)
    """Where its high threshold is drawn from."""

    def __post_init__(self) -> None:
        with refusals_named():
            if self.mix is not None:
                _ = self.policy(KINDS)
            _ = self._thresholds

    def policy(self, available: Collection[ConditionKind]) -> ControlPolicy:
        """The same as a part of the recipe, over a source of which these kinds can be had.

        Raises:
            ValueError: the shares are none, or are of a kind that cannot be had.
        """
        if self.mix is None:
            mix = ConditionMix.equal(available)
        elif not (min(self.mix) >= 0 and math.isclose(sum(self.mix), 1, abs_tol=1e-9)):
            raise ValueError(f"--mix must be five shares that sum to 1, got {' '.join(map(str, self.mix))}")
        else:
            mix = ConditionMix.model_validate(dict(zip(KINDS, self.mix, strict=True)))
        if missing := mix.shares().keys() - set(available):
            raise ValueError(
                f"--mix asks for {' and '.join(sorted(missing))}, of which this source has no maps"
                + (": give --dpt to draw depth from the pictures" if "depth" in missing else "")
            )
        return ControlPolicy(mix=mix, thresholds=self._thresholds)

    @property
    def _thresholds(self) -> ThresholdRanges:
        return ThresholdRanges(low=self.canny_low, high=self.canny_high)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """Which maps are precomputed and written beside the manifest, and by which weights."""

    precompute: bool = False
    """Draw the maps of HED and lineart now; otherwise they are extracted online, when a batch is made."""
    hed_weights: str = HUB
    """ControlNetHED.pth, the folder that holds it, or a name on the hub."""
    lineart_weights: str = HUB
    """sk_model.pth, the folder that holds it, or a name on the hub."""
    dpt: Path | None = None
    """A DPT checkpoint's folder, as transformers writes it: draws depth now, of pictures without a map of it."""
    device: str = "auto"
    """cpu, cuda, or auto: the GPU where there is one."""
    batch_size: int = 8
    """Pictures that a network sees at once."""
    actors: int = 1
    """Processes that hold the weights."""
    gpus_per_actor: float = 0.0
    """GPUs of each: 1, or less to share one."""

    def __post_init__(self) -> None:
        require_range(self, "batch_size", "actors", least=1)
        require_gpus(self, "gpus_per_actor")
        require_device(self)
        if not self.precompute:
            require_unused(self, "hed_weights", "lineart_weights", without="--precompute")
        if not self.precompute and self.dpt is None:
            require_unused(
                self,
                "batch_size",
                "actors",
                "gpus_per_actor",
                without="maps drawn now: --precompute or --dpt",
            )

    def available(self, source_kinds: Collection[ConditionKind]) -> frozenset[ConditionKind]:
        """What can be had of a source that has maps of these kinds."""
        drawn: frozenset[ConditionKind] = frozenset(["depth"] if self.dpt else [])
        return ANYWHERE | frozenset(source_kinds) | drawn

    def weights(self, mix: ConditionMix) -> MapWeights:
        """The weights of what the mix asks for, downloaded where they are named on the hub.

        Raises:
            FileNotFoundError: they are not there.
        """
        if not self.precompute:
            return MapWeights(depth=self.dpt if mix.depth else None, device=self.device)
        # Here and not above: torch takes seconds to import, and --help needs none of it.
        from cologen.datagen.control import hed, lineart
        from cologen.datagen.control.annotators import checkpoint_of

        return MapWeights(
            depth=self.dpt if mix.depth else None,
            hed=checkpoint_of(self.hed_weights, hed.FILE).absolute() if mix.hed else None,
            lineart=checkpoint_of(self.lineart_weights, lineart.FILE).absolute() if mix.lineart else None,
            device=self.device,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions:
    """Build control data on Ray: a condition, and the picture and caption it was taken from; one row per picture.

    Canny is drawn with random thresholds, depth and segmentation are the dataset's own maps, HED and lineart are
    extracted online. Stopped at any time, the same command continues where it was. Any number of workers gives the same
    bytes.
    """

    src: Literal["multigen", "multigen_depth", "ade20k", "cocostuff"]
    """The dataset whose format is read: MultiGen-20M (lists or Parquet), its depth, Captioned_ADE20K or _COCOStuff."""
    build: Annotated[BuildOptions, tyro.conf.OmitArgPrefixes] = BuildOptions()
    conditions: Annotated[ConditionOptions, tyro.conf.OmitArgPrefixes] = ConditionOptions()
    maps: Annotated[MapOptions, tyro.conf.OmitArgPrefixes] = MapOptions()
