"""Which base and adapter a command line opens, on which device: the options of `generate` and `demo`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cologen.datagen.usage import require_device, require_range, require_unused
from cologen.datagen.weights import device_named
from cologen.model.opening import PipelineSpec, open_pipeline
from cologen.model.presets import base_kind_of, preset_of
from cologen.model.world_base import packaged_adapter, packaged_base
from pipelines.console import CONSOLE

if TYPE_CHECKING:
    from cologen.model.pipeline import CoLoGenPipeline

_SMALL_BASE_CFG = 1.5
"""Which draws 92 % of the named objects, where none draws 89 % (docs/results.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """Base, adapter and device. Without --base the base is a small one, trained on the synthetic dataset."""

    adapter: Path | None = None
    """Folder of a trained adapter. Default: where a picture is given, and with the bundled base, the bundled one; else
    none."""
    bare: bool = False
    """Use the base without an adapter: it was never trained to follow a picture."""
    stage: int | None = None
    """Which stage of the adapter, from 0. Default: of the bundled one, that of the task; else its newest."""
    base: str | None = None
    """A folder of FLUX.1, FLUX.2 klein or Qwen-Image-Edit as diffusers writes it, or its name on the hub. Default: a
    small one, see --preset."""
    preset: Literal["world-tiny", "world-small"] = "world-tiny"
    """Which small base, trained on the synthetic dataset, where there is no --base."""
    weights: Path | None = None
    """Its weights (safetensors), as train makes them with a recipe …-base. Default: the bundled ones of world-tiny."""
    device: str = "auto"
    """cuda, cpu …; auto takes a GPU if there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights: auto is bfloat16 on a GPU, and float32 elsewhere."""
    offload: Literal["none", "model", "sequential"] = "none"
    """Keep on the GPU only the model at work, or only the layer at work (slow): for small GPUs."""

    def __post_init__(self) -> None:
        require_range(self, "stage", least=0)
        require_device(self, kinds=("cpu", "cuda", "mps", "xpu"))
        if self.base is not None and self.weights is not None:
            raise ValueError("--weights are for a --preset: a --base brings its own")
        if self.base is not None:
            require_unused(self, "preset", without="a small base, in place of --base")
        if self.bare and self.adapter is not None:
            raise ValueError("--bare is without an --adapter: give one of them")
        if self.bare:
            require_unused(self, "stage", without="an adapter: leave --bare out")
        if self.stage is not None and self.adapter_for_pictures is None:
            raise ValueError("--stage is one of an adapter's: give its folder with --adapter")

    @property
    def adapter_for_pictures(self) -> Path | None:
        """The adapter where the base draws from a picture: the one that is given, or the bundled base's own."""
        if self.adapter is not None or self.bare or self.base is not None or self.weights is not None:
            return self.adapter
        return packaged_adapter(self.preset)

    @property
    def usual_cfg(self) -> float:
        """The scale of guidance against the empty prompt that fits the base; 1: none."""
        if self.base is None:
            return _SMALL_BASE_CFG
        return 1.0 if self.base_is_flux1 else preset_of(Path(self.base)).cfg

    @property
    def base_is_flux1(self) -> bool:
        """Whether the base is FLUX.1, which the small ones are too."""
        return self.base is None or base_kind_of(Path(self.base)) == "flux.1"

    def opened(self, adapter: Path | None, stage: int | None) -> CoLoGenPipeline:
        """The base with this adapter at this stage, on its device; both are named in a line each.

        Raises:
            FileNotFoundError: no such base, weights or adapter.
            ValueError: they are damaged or do not fit together, or the device is not there.
        """
        spec = self._spec(adapter, stage)
        if spec.base is None:
            weights = spec.weights or packaged_base(spec.preset)
            CONSOLE.print(f"No --base: using {spec.preset}, trained on the synthetic dataset, with {weights.name}.")
        else:
            CONSOLE.print(f"base {spec.base} in {spec.dtype} on {spec.device}")
        pipeline = open_pipeline(spec)
        if adapter is not None:
            which = "the bundled adapter" if self.adapter is None else f"adapter {adapter}"
            CONSOLE.print(f"{which}, experts 0 to {pipeline.transformer.num_experts - 1}")
        return pipeline

    def _spec(self, adapter: Path | None, stage: int | None) -> PipelineSpec:
        device = str(device_named(self.device))
        if self.offload != "none" and device == "cpu":
            raise ValueError("--offload saves a GPU's memory, and the model is on the CPU here: leave it out")
        if self.weights is not None and not self.weights.is_file():
            raise FileNotFoundError(f"no weights at {self.weights}")
        return PipelineSpec(
            base=self.base,
            preset=self.preset,
            weights=self.weights,
            adapter=adapter,
            stage=stage,
            device=device,
            dtype=self.dtype if self.dtype != "auto" else "bfloat16" if device.startswith("cuda") else "float32",
            offload=self.offload,
        )
