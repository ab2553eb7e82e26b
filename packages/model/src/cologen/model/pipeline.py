"""CoLoGen as a diffusers pipeline: FLUX's own, conditioned on images.

    pipe = CoLoGenPipeline.from_pretrained("FLUX.1-dev", dtype=torch.bfloat16).to("cuda")
    pipe.load_adapter("adapter")
    pipe("make the ball blue", image=picture, task="editing").images[0]

Without an image it is FLUX's pipeline, to the bit. The synthetic dataset's models, whose codec and text encoder are not
FLUX's, run through the same call: ``CoLoGenPipeline.from_bundle(build(preset("world-tiny")))``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import diffusers
import torch
from diffusers import ModelMixin
from diffusers.pipelines.flux.pipeline_output import FluxPipelineOutput
from jaxtyping import Float
from torch import Tensor

from cologen.model.assembly import AssembledPipeline, on_device
from cologen.model.conditions import (
    Conditions,
    chosen_size,
    conditions,
    hole_in,
    read_given,
    rounded,
    task_for,
    with_known,
)
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.hooks import unwrapped
from cologen.model.layout import Layout
from cologen.model.pictures import Pictures
from cologen.model.routing import Routing
from cologen.model.sampling import CallSource, Denoiser, Words, denoise, starting_noise
from cologen.model.steps import SchedulerStep, step_times
from cologen.model.text import TextEncoder

# A folder's index names a module and a class in it. diffusers also looks in that module for the base class, which says
# how to load it. So the index names this module for the transformer, which has both.
__all__ = ["CoLoGenPipeline", "CoLoGenTransformer2DModel", "ModelMixin"]

OnStepEnd = Callable[[Any, int, Tensor, dict[str, Any]], dict[str, Any] | None]
"""(pipeline, step, timestep, tensors) to the tensors that are to be replaced, if any."""


class CoLoGenPipeline(AssembledPipeline):
    """FLUX's pipeline with CoLoGen's transformer: LoRAs (FLUX.1's), offloading, VAE tiling and callbacks work.

    ``from_pretrained`` takes any folder or hub name of FLUX.1 dev, Fill or schnell. A pipeline of a bundle uses the
    bundle's codec and text encoder instead of FLUX's, on the pipeline's device. A stock transformer, passed in or found
    by ``from_pipe`` in another pipeline, is converted without a copy. The way back is
    ``FluxPipeline.from_pipe(pipe, transformer=pipe.transformer)``: by itself, diffusers passes on only modules of
    exactly the expected class.
    """

    @torch.no_grad()
    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride], IP adapters would replace what sees a source
        self,
        prompt: str | list[str] | None = None,
        prompt_2: str | list[str] | None = None,
        negative_prompt: str | list[str] | None = None,
        negative_prompt_2: str | list[str] | None = None,
        true_cfg_scale: float | None = None,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int | None = None,
        sigmas: Sequence[float] | None = None,
        guidance_scale: float | None = None,
        num_images_per_prompt: int = 1,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: Float[Tensor, "draws tokens dim"] | None = None,
        prompt_embeds: Float[Tensor, "batch text_tokens text_dim"] | None = None,
        pooled_prompt_embeds: Float[Tensor, "_ pooled_dim"] | None = None,
        negative_prompt_embeds: Float[Tensor, "_ _ text_dim"] | None = None,
        negative_pooled_prompt_embeds: Float[Tensor, "_ pooled_dim"] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        joint_attention_kwargs: dict[str, Any] | None = None,
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        max_sequence_length: int | None = None,
        *,
        image: Pictures | None = None,
        mask: Pictures | None = None,
        task: str | None = None,
        paste_known: bool = False,
    ) -> FluxPipelineOutput | tuple[Any]:
        """Generate images. Arguments not explained here are those of ``FluxPipeline``.

        Args:
            prompt: may be left out for inpainting.
            height: of the result in pixels, rounded down to a multiple of 16, as is the width. Default: the image's
                size, shrunk to the area of the base's usual square; without an image, or with a subject's, that square.
                Where only one side is given, the other keeps the image's proportions.
            num_inference_steps: default: what the base's authors use (dev 28, Fill 50, schnell 4).
            guidance_scale: an input of bases that were distilled with guidance. Default: dev 3.5, Fill 30. Kontext and
                Krea, which have dev's shape, take 2.5 and 4.5.
            true_cfg_scale: above 1 and with a negative prompt, the scale of classifier-free guidance, at twice the
                cost. Default: none; of FLUX.2 klein's base models 4, against the empty prompt if there is no other.
            latents: the noise to begin with, in tokens.
            image: the picture to be filled, marked or edited, the condition, or the subject. With one prompt, a list is
                several pictures for it. With a list of prompts: one image for all, or one (or a list of some) for each.
                All but subjects are resized to the result's size, and have to be of the same proportions; subjects
                keep theirs.
            mask: white where the hole is, in the image's size; for the task "inpaint", and needed there.
            task: "inpaint", "grounding", "control", "customized" or "editing"; needed with an image.
            paste_known: put the image's own pixels back around the hole. Off by default: the model paints them too,
                from what it sees, without a seam.

        Returns:
            What ``FluxPipeline`` does: ``images`` are PIL, or arrays or tensors in [0, 1], or latents in tokens.

        Raises:
            ValueError: an argument is missing, has no use, or does not fit the others.
        """
        self._refuse_missing_parts()
        codec, usual = self._codec, self._usual
        if guidance_scale is not None and not math.isfinite(guidance_scale):
            raise ValueError(f"guidance_scale must be finite, got {guidance_scale}")
        if guidance_scale is not None and unwrapped(self.transformer).base_kind == "flux.2":
            raise ValueError("guidance_scale is for bases that were distilled with it: FLUX.2 klein has true_cfg_scale")
        self._guidance_scale = usual.guidance if guidance_scale is None else guidance_scale
        if true_cfg_scale is None:
            true_cfg_scale = usual.cfg
            if true_cfg_scale > 1 and negative_prompt is None and negative_prompt_embeds is None:
                negative_prompt = ""
        if not unwrapped(self.transformer).reads_pooled_text:
            pooled_prompt_embeds = _no_channels(prompt_embeds)
            negative_pooled_prompt_embeds = _no_channels(negative_prompt_embeds)
        self._joint_attention_kwargs = joint_attention_kwargs or {}
        self._current_timestep, self._interrupt = None, False
        layout, chosen = Layout.of(self.transformer, codec), task_for(task, image, mask)
        if prompt == []:
            raise ValueError("prompt is an empty list: give at least one prompt")
        if negative_prompt == []:
            raise ValueError("negative_prompt is an empty list: give at least one, or None")
        if prompt is None and prompt_embeds is None and chosen is not None and chosen.wordless:
            prompt = ""
        self.check_inputs(
            prompt,
            prompt_2,
            height=0,  # rounded below, without a warning
            width=0,
            negative_prompt=negative_prompt,
            negative_prompt_2=negative_prompt_2,
            prompt_embeds=prompt_embeds,
            negative_prompt_embeds=negative_prompt_embeds,
            pooled_prompt_embeds=pooled_prompt_embeds,
            negative_pooled_prompt_embeds=negative_pooled_prompt_embeds,
            callback_on_step_end_tensor_inputs=callback_on_step_end_tensor_inputs,
            max_sequence_length=max_sequence_length,
        )
        if paste_known and (mask is None or output_type == "latent"):
            raise ValueError("paste_known needs a mask, and a result in pixels")
        if num_images_per_prompt < 1:
            raise ValueError(f"num_images_per_prompt must be at least 1, got {num_images_per_prompt}")
        num_prompts = None if isinstance(prompt, str) else _count(prompt, prompt_embeds)
        given = None if chosen is None or image is None else read_given(chosen, image, mask, num_prompts)
        size = rounded(chosen_size(given, usual.side, height, width), layout.multiple)
        shown = conditions(given, size, layout.multiple)

        words_of = partial(self._words, max_sequence_length=max_sequence_length or usual.text_tokens)
        words, against = words_of(prompt, prompt_2, prompt_embeds, pooled_prompt_embeds), None
        if true_cfg_scale > 1 and (negative_prompt is not None or negative_prompt_embeds is not None):
            batch = len(words.embeds)
            against = words_of(
                _for_each(negative_prompt, batch),
                _for_each(negative_prompt_2, batch),
                negative_prompt_embeds,
                negative_pooled_prompt_embeds,
            )
            if len(against.embeds) != batch:
                found = len(against.embeds)
                raise ValueError(f"{found} negative prompts for {batch} prompts: give one for all, or one for each")
            if against.embeds.shape != words.embeds.shape:
                found, expected = tuple(against.embeds.shape), tuple(words.embeds.shape)
                raise ValueError(f"negative_prompt_embeds are {found}, expected {expected}, as the prompt's are")

        num_draws = len(words.embeds) * num_images_per_prompt
        latents = starting_noise(layout, size, num_draws, generator, latents, like=words.embeds)
        denoiser = self._denoiser(layout, shown, words, latents, true_cfg_scale)
        num_steps = usual.num_steps if num_inference_steps is None else num_inference_steps
        called_back = None
        if callback_on_step_end is not None:
            called_back = partial(self._called_back, callback_on_step_end, callback_on_step_end_tensor_inputs)
        latents = denoise(
            denoiser,
            self._steps(step_times(self.scheduler, num_steps, sigmas, latents, layout.base_kind)),
            latents,
            words.repeated(num_images_per_prompt),
            None if against is None else against.repeated(num_images_per_prompt),
            called_back,
        )
        self._routing = denoiser.source.routing if isinstance(denoiser.source, CallSource) else None
        images: Any = latents
        if output_type != "latent":
            pixels = codec.decode(layout.latents(latents, size))
            pixels = with_known(pixels, shown) if paste_known else pixels
            images = self.image_processor.postprocess(pixels, output_type=output_type)
        self.maybe_free_model_hooks()
        return FluxPipelineOutput(images=images) if return_dict else (images,)

    @property
    def usual_cfg(self) -> float:
        """The scale of classifier-free guidance that the base's authors sample with; 1: none."""
        return self._usual.cfg

    @property
    def routing(self) -> Routing | None:
        """What the routers chose in the last call, for each sample of each source in turn, block by block; None: it had
        no source, or there are no experts."""
        return self._routing

    def encode_prompt(
        self,
        prompt: str | list[str] | None,
        prompt_2: str | list[str] | None = None,
        device: torch.device | None = None,
        num_images_per_prompt: int = 1,
        prompt_embeds: Tensor | None = None,
        pooled_prompt_embeds: Tensor | None = None,
        max_sequence_length: int = 512,
        lora_scale: float | None = None,
    ) -> Any:
        """As ``FluxPipeline``'s; a bundle's text encoder gives as many tokens as it always does."""
        if self._bundle is None:
            stock: Any = super().encode_prompt  # its annotations lack the None of their defaults
            return stock(
                prompt, prompt_2, device, num_images_per_prompt, prompt_embeds, pooled_prompt_embeds,
                max_sequence_length, lora_scale,
            )  # fmt: skip
        like = torch.empty(0, device=device or self._execution_device, dtype=self.transformer.dtype)
        if prompt_embeds is None or pooled_prompt_embeds is None:
            text: TextEncoder = on_device(self._bundle.text, like.device)
            prompts = text.encode([prompt] if isinstance(prompt, str) else prompt or [])
            prompt_embeds, pooled_prompt_embeds = prompts.embeds, prompts.pooled
        ids = Layout.of(self.transformer, self._codec).text_ids(prompt_embeds.shape[1]).to(like.device)
        words = Words(embeds=prompt_embeds.to(like), pooled=pooled_prompt_embeds.to(like), ids=ids)
        words = words.repeated(num_images_per_prompt)
        return words.embeds, words.pooled, ids

    def _words(
        self,
        prompt: str | list[str] | None,
        prompt_2: str | list[str] | None,
        embeds: Tensor | None,
        pooled: Tensor | None,
        max_sequence_length: int,
    ) -> Words:
        if embeds is None and self._bundle is None:
            needed = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
            if absent := [name for name in needed if getattr(self, name, None) is None]:
                raise ValueError(
                    f"the pipeline has no {', '.join(absent)}: load them, or give prompt_embeds and "
                    "pooled_prompt_embeds (and negative ones for guidance)"
                )
        if isinstance(prompt, list) and isinstance(prompt_2, list) and len(prompt_2) != len(prompt):
            raise ValueError(f"{len(prompt_2)} second prompts for {len(prompt)} prompts: give one for each")
        if embeds is not None and pooled is not None and len(embeds) != len(pooled):
            raise ValueError(f"{len(pooled)} pooled embeddings for {len(embeds)} prompts: give one for each")
        encoded: tuple[Tensor, Tensor, Tensor] = self.encode_prompt(
            prompt,
            prompt_2,
            device=self._execution_device,
            prompt_embeds=embeds,
            pooled_prompt_embeds=pooled,
            max_sequence_length=max_sequence_length,
            lora_scale=self._joint_attention_kwargs.get("scale"),
        )
        return Words(embeds=encoded[0], pooled=encoded[1], ids=encoded[2])

    def _denoiser(
        self,
        layout: Layout,
        shown: Conditions,
        words: Words,
        latents: Float[Tensor, "draws tokens dim"],
        cfg_scale: float,
    ) -> Denoiser:
        batch, codec = len(words.embeds), self._codec
        tokens = [
            layout.source(codec, picture, number, shown.size, batch, latents)
            for number, picture in enumerate(shown.sources, start=1)
        ]
        source = CallSource(
            transformer=self.transformer,
            tokens=tokens,
            pooled=words.pooled,
            num_images=len(latents) // batch,
            attention_kwargs=self._joint_attention_kwargs,
        )
        guidance = self._guidance_scale if self.transformer.config.guidance_embeds else None
        return Denoiser(
            transformer=self.transformer,
            ids=layout.ids(shown.size).to(latents.device),
            guidance=None if guidance is None else latents.new_full((len(latents),), guidance, dtype=torch.float32),
            cfg_scale=cfg_scale,
            beside=layout.beside(codec, *hole_in(shown), latents) if layout.fill else None,
            source=source if tokens else None,
            attention_kwargs=self._joint_attention_kwargs,
        )

    def _steps(self, timesteps: Float[Tensor, "steps"]) -> Generator[SchedulerStep, None, None]:
        """The scheduler's steps, until the call is interrupted, with FLUX's bar over them."""
        self._num_timesteps = len(timesteps)
        self.scheduler.set_begin_index(0)
        progress: Any = self.progress_bar
        with progress(total=len(timesteps)) as bar:
            for timestep in timesteps:
                if self.interrupt:
                    continue
                self._current_timestep = timestep
                yield SchedulerStep(self.scheduler, timestep)
                bar.update()
        self._current_timestep = None

    def _called_back(
        self, on_step_end: OnStepEnd, tensors_wanted: Sequence[str], number: int, latents: Tensor, words: Words
    ) -> tuple[Tensor, Words]:
        """What the user's callback makes of a step's tensors."""
        tensors = {"latents": latents, "prompt_embeds": words.embeds}
        wanted, timestep = {name: tensors[name] for name in tensors_wanted}, cast(Tensor, self._current_timestep)
        changed = on_step_end(self, number, timestep, wanted) or {}
        embeds = changed.get("prompt_embeds", words.embeds)
        return changed.get("latents", latents), replace(words, embeds=embeds)


def _count(prompts: list[str] | None, embeds: Tensor | None) -> int:
    if prompts is not None:
        return len(prompts)
    return 0 if embeds is None else len(embeds)


def _no_channels(embeds: Tensor | None) -> Tensor | None:
    """The pooled embeddings of a base that reads none."""
    return None if embeds is None else embeds.new_zeros(len(embeds), 0)


def _for_each(prompt: str | list[str] | None, batch: int) -> list[str] | None:
    return [prompt] * batch if isinstance(prompt, str) else prompt


# ``DiffusionPipeline.from_pretrained`` looks up the class that a folder names among diffusers' own, and nowhere else.
setattr(diffusers, CoLoGenPipeline.__name__, CoLoGenPipeline)
