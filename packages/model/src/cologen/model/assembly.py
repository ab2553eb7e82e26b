"""Creates the pipeline from a folder, a bundle or another pipeline, loads adapters into it, and saves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from diffusers.loaders.lora_pipeline import Flux2LoraLoaderMixin, QwenImageLoraLoaderMixin
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    T5EncoderModel,
    T5Tokenizer,
)

from cologen.model import adapters
from cologen.model.adapter_index import FORM, BaseKind
from cologen.model.adapters import ADAPTER_FILES, Adapter
from cologen.model.bundle import Bundle
from cologen.model.codecs import Codec, FluxCodec
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.flux2_codec import Flux2Codec
from cologen.model.flux2_text import Flux2TextEncoder
from cologen.model.hooks import unwrapped
from cologen.model.hub_names import is_hub_name
from cologen.model.layout import Layout
from cologen.model.presets import PRESETS, Preset
from cologen.model.qwen_image_codec import QwenImageCodec
from cologen.model.qwen_image_text import QwenImageTextEncoder
from cologen.model.routing import Routing
from cologen.model.text import FluxTextEncoder
from cologen.model.transformer import WovenTransformer

_MODULE = "cologen.model.pipeline"
"""Where the index of a saved folder says that the transformer's class is found; see there."""

_Pipeline = TypeVar("_Pipeline", bound="AssembledPipeline")


class AssembledPipeline(FluxPipeline):
    """FLUX's pipeline with CoLoGen's transformer and, if made from a bundle, the bundle's codec and text encoder."""

    scheduler: Any
    transformer: Any
    vae: Any

    def __init__(
        self,
        scheduler: FlowMatchEulerDiscreteScheduler,
        vae: AutoencoderKL | None,
        text_encoder: CLIPTextModel | None,
        tokenizer: CLIPTokenizer | None,
        text_encoder_2: T5EncoderModel | None,
        tokenizer_2: T5Tokenizer | None,
        transformer: WovenTransformer | FluxTransformer2DModel | None,
        image_encoder: CLIPVisionModelWithProjection | None = None,
        feature_extractor: CLIPImageProcessor | None = None,
        usual_guidance: float | None = None,
    ) -> None:
        """The modules are those of FLUX's pipeline.

        ``usual_guidance`` is the default of ``guidance_scale`` where it is not that of dev or Fill: Krea's is 4.5, and
        nothing in its folder says so. Kontext's, 2.5, is known by the class that its folder's index names.
        """
        if isinstance(transformer, FluxTransformer2DModel) and not isinstance(transformer, WovenTransformer):
            transformer = CoLoGenTransformer2DModel.of(transformer)
        stock: Any = super().__init__  # its annotations lack the None of what may be missing
        stock(
            scheduler,
            vae,
            text_encoder,
            tokenizer,
            text_encoder_2,
            tokenizer_2,
            transformer,
            image_encoder,
            feature_extractor,
        )
        if usual_guidance is not None:  # else a saved folder would be none of FLUX's own
            self.register_to_config(usual_guidance=usual_guidance)
        self._bundle: Bundle | None = None
        self._adapter: Adapter | None = None
        self._routing: Routing | None = None

    @classmethod
    def load_config(cls, *args: Any, **kwargs: Any) -> Any:
        """A folder's index as diffusers reads it, with CoLoGen's class for the transformer."""
        config: Any = super().load_config(*args, **kwargs)
        if str(config.get("_class_name", "")).startswith(("Flux2", "QwenImage")):
            raise ValueError(
                "this is a folder of FLUX.2 or Qwen-Image: klein and Qwen-Image open with "
                "open_pipeline(PipelineSpec(base=FOLDER OR NAME)) of cologen.model.opening"
            )
        if _is_kontext(config.get("_class_name", "")):
            config = {"usual_guidance": PRESETS["flux-kontext"].guidance, **config}
        return {**config, "transformer": [_MODULE, CoLoGenTransformer2DModel.__name__]}

    @classmethod
    def from_pipe(cls, pipeline: Any, **kwargs: Any) -> Any:
        """As in any diffusers pipeline: the same modules, in their own precision unless ``dtype`` is given.

        Raises:
            ValueError: a stock transformer that is already offloaded or compiled.
        """
        kwargs.setdefault("transformer", pipeline.transformer)
        if not {"dtype", "torch_dtype"} & kwargs.keys():
            kwargs["dtype"] = pipeline.dtype
        if _is_kontext(type(pipeline).__name__):
            kwargs.setdefault("usual_guidance", PRESETS["flux-kontext"].guidance)
        made = super().from_pipe(pipeline, **kwargs)
        made._bundle, made._adapter = getattr(pipeline, "_bundle", None), getattr(pipeline, "_adapter", None)
        return made

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """As in any diffusers pipeline; without experts it is saved as plain FLUX, which is read without CoLoGen.

        Raises:
            ValueError: it was made of a bundle whose parts are not diffusers' own.
        """
        if self._bundle is not None and not isinstance(self._bundle.codec, FluxCodec):
            raise ValueError(
                f"a pipeline of {self._bundle.preset.name} cannot be saved whole: keep its base as it is, and save its "
                "experts with save_adapter"
            )
        # In FLUX's class, the hub and FLUX's pipeline know it; but it would load without the experts, and say nothing.
        names = ("diffusers", "FluxTransformer2DModel")
        if getattr(unwrapped(self.transformer), "num_experts", 0):
            names = (_MODULE, CoLoGenTransformer2DModel.__name__)
        self.register_to_config(transformer=names)
        super().save_pretrained(save_directory, *args, **kwargs)

    def load_lora_weights(  # pyright: ignore[reportIncompatibleMethodOverride], whose arguments these are
        self, pretrained_model_name_or_path_or_dict: Any, adapter_name: str | None = None, **kwargs: Any
    ) -> None:
        """As in FLUX's pipeline; a base of FLUX.2 or Qwen-Image takes the LoRAs that its own pipelines take.

        Raises:
            ValueError: the file holds no LoRA.
        """
        kind: BaseKind = getattr(unwrapped(self.transformer), "base_kind", "flux.1")
        if kind == "flux.1":
            super().load_lora_weights(pretrained_model_name_or_path_or_dict, adapter_name, **kwargs)
            return
        how = {name: kwargs.pop(name) for name in ("hotswap", "low_cpu_mem_usage") if name in kwargs}
        read: Any = _LORAS[kind].lora_state_dict
        layers, metadata = read(pretrained_model_name_or_path_or_dict, return_lora_metadata=True, **kwargs)
        if not all("lora" in name or "lokr" in name for name in layers):
            raise ValueError(f"{pretrained_model_name_or_path_or_dict} is no LoRA: it holds other weights too")
        self.transformer.load_lora_adapter(layers, adapter_name=adapter_name, metadata=metadata, _pipeline=self, **how)

    def load_ip_adapter(self, *args: Any, **kwargs: Any) -> Any:
        """Refused, with a ValueError: it would replace the attention that sees a source."""
        raise ValueError("IP adapters replace the attention that sees a source: use FluxPipeline for them")

    @classmethod
    def from_bundle(cls: type[_Pipeline], bundle: Bundle) -> _Pipeline:
        """The pipeline of any preset: its own codec, text encoder, schedule, steps and guidance.

        The transformer is put into evaluation mode, as ``from_pretrained`` does.
        """
        scheduler = FlowMatchEulerDiscreteScheduler(**bundle.preset.scheduler)
        codec, text = bundle.codec, bundle.text
        clip_and_t5 = isinstance(text, FluxTextEncoder)
        pipeline = cls(
            scheduler=scheduler,
            vae=codec.vae if isinstance(codec, FluxCodec) else None,
            text_encoder=text.clip if clip_and_t5 else None,
            tokenizer=cast(Any, text.clip_tokenizer) if clip_and_t5 else None,
            text_encoder_2=text.t5 if clip_and_t5 else None,
            tokenizer_2=cast(Any, text.t5_tokenizer) if clip_and_t5 else None,
            transformer=bundle.transformer.eval(),  # routers draw noise in training
        )
        qwen = isinstance(text, (Flux2TextEncoder, QwenImageTextEncoder))
        if isinstance(codec, (Flux2Codec, QwenImageCodec)) and qwen:
            pipeline.register_modules(vae=codec.vae, text_encoder=text.qwen)  # so that they can be offloaded
        pipeline._bundle = bundle
        return pipeline

    def load_adapter(self, adapter: Path | str, stage: int | None = None, *, revision: str | None = None) -> None:
        """Give the transformer the experts and the router of ``stage`` (None: the newest), in place of those it has.

        Args:
            adapter: its folder, or ``owner/name`` of a repository on the hub.
            stage: one whose router is there. ``set_stage`` switches to another afterwards; for that, what was read
                stays in memory on the CPU until another adapter is loaded or this one is unloaded.
            revision: of the repository on the hub.

        Raises:
            FileNotFoundError: no adapter there, or a file of it is missing.
            ValueError: it does not fit, is damaged, or the weights have already been offloaded.
        """
        found = Adapter(_folder_of(str(adapter), revision))
        found.into(self.transformer, stage)
        self._adapter = found

    def set_stage(self, stage: int) -> None:
        """Switch to another stage of the loaded adapter; files that were read are not read again.

        Raises:
            ValueError: none is loaded, it has no such stage, or the weights have been offloaded.
        """
        if self._adapter is None:
            raise ValueError("no adapter is loaded whose stage could be switched: call load_adapter first")
        self._adapter.into(self.transformer, stage)

    def unload_adapter(self) -> None:
        """Remove all experts: the transformer is the base's again, to the bit.

        Raises:
            ValueError: the weights have been offloaded.
        """
        config: Any = unwrapped(self.transformer).config
        form = {name: config[name] for name in FORM}
        unwrapped(self.transformer).rebuild(0, **form, dtype=self.transformer.dtype)
        self._adapter = None

    def save_adapter(self, folder: Path | str, **notes: Any) -> None:
        """Save the transformer's experts and router as the newest stage of ``folder``.

        Args:
            folder: another one than that which was loaded, whose experts may have more digits.
            notes: facts for ``adapter.json`` and the model card, beside those of the loaded adapter.

        Raises:
            ValueError: there is no expert, or the folder is the loaded one or holds the adapter of another model.
        """
        loaded = self._adapter
        if loaded is not None and Path(folder).resolve() == loaded.folder.resolve():
            raise ValueError(f"{folder} is the adapter that was loaded: save into another folder")
        before = {} if loaded is None else loaded.index["notes"]
        adapters.save_adapter(self.transformer, folder, notes={**before, **notes})

    def set_strength(self, strength: float) -> None:
        """Multiply what experts add to keys and values: 1 is as trained, 0 is the base that sees a source.

        It lasts until it is set again or another adapter or stage is loaded, and is not saved.

        Raises:
            ValueError: it is not finite.
        """
        unwrapped(self.transformer).set_strength(strength)

    def _refuse_missing_parts(self) -> None:
        """Raise ValueError or TypeError for a part without which nothing can be generated."""
        if self.transformer is None or self.scheduler is None:
            missing = "transformer" if self.transformer is None else "scheduler"
            raise ValueError(f"the pipeline has no {missing}: load it, no image can be generated without")
        inside = getattr(self.transformer, "_orig_mod", self.transformer)
        if isinstance(inside, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            kind = type(inside).__name__
            raise TypeError(f"the transformer is wrapped by {kind}, which is for training: give its module")

    @property
    def _codec(self) -> Codec:
        if self._bundle is None:
            if self.vae is None:
                raise ValueError("the pipeline has no vae: load it, pictures cannot be read or written without")
            return FluxCodec(self.vae, freeze=False)
        return on_device(self._bundle.codec, self._execution_device)

    @property
    def _usual(self) -> Preset:
        """The preset with the base's usual sampling settings."""
        if self._bundle is not None:
            return self._bundle.preset
        if Layout.of(self.transformer, self._codec).fill:
            usual = PRESETS["flux-fill"]
        else:
            usual = PRESETS["flux-dev" if self.transformer.config.guidance_embeds else "flux-schnell"]
        guidance = self.config.get("usual_guidance")
        return usual if guidance is None else replace(usual, guidance=guidance)


_LORAS: Mapping[BaseKind, Any] = {"flux.2": Flux2LoraLoaderMixin, "qwen-image": QwenImageLoraLoaderMixin}
"""What reads a file of LoRA layers."""


def _is_kontext(pipeline_class: str) -> bool:
    """Whether it is one of diffusers' pipelines for FLUX.1 Kontext, whose transformer has the configuration of dev."""
    return pipeline_class.startswith("FluxKontext")


def _folder_of(adapter: str, revision: str | None) -> Path:
    """The folder, or that of the hub's cache into which a repository was fetched."""
    if Path(adapter).exists() or not is_hub_name(adapter):
        return Path(adapter)
    try:
        return Path(snapshot_download(adapter, revision=revision, allow_patterns=list(ADAPTER_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FileNotFoundError(f"no folder {adapter}, and the hub did not give such an adapter: {error}") from error


def on_device(part: Any, device: torch.device) -> Any:
    """A bundle's part, moved to the device, unless it is offloaded: then it comes and goes by itself."""
    if not isinstance(part, nn.Module) or any(hasattr(each, "_hf_hook") for each in part.modules()):
        return part
    return part.to(device)
