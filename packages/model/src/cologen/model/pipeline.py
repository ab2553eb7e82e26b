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
from cologen.model.crops import Crop
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.hooks import unwrapped
from cologen.model.layout import Layout
from cologen.model.pictures import Pictures
from cologen.model.prompting import PromptedPipeline, check_against, for_each, no_channels, num_given
from cologen.model.routing import Routing
from cologen.model.sampling import CallSource, Denoiser, Words, denoise
from cologen.model.starting import first_step, noised, starting_noise
from cologen.model.steps import SchedulerStep, step_times

# A folder's index names a module and a class in it. diffusers also looks in that module for the base class, which says
# how to load it. So the index names this module for the transformer, which has both.
__all__ = ["CoLoGenPipeline", "CoLoGenTransformer2DModel", "ModelMixin"]

OnStepEnd = Callable[[Any, int, Tensor, dict[str, Any]], dict[str, Any] | None]
"""(pipeline, step, timestep, tensors) to the tensors that are to be replaced, if any."""


class CoLoGenPipeline(PromptedPipeline):
    """FLUX's pipeline with CoLoGen's transformer: LoRAs, offloading, VAE tiling and callbacks work.

    ``from_pretrained`` takes any folder or hub name of FLUX.1 dev, Fill, schnell, Kontext or Krea. A pipeline of a
    bundle uses the bundle's codec and text encoder instead of FLUX's, on the pipeline's device. A stock transformer,
    passed in or found by ``from_pipe`` in another pipeline, is converted without a copy. The way back is
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
        mask_image: Pictures | None = None,
        task: str | None = None,
        strength: float = 1.0,
        padding_mask_crop: int | None = None,
        paste_known: bool = False,
    ) -> FluxPipelineOutput | tuple[Any]:
        """Generate images. Arguments not explained here are those of ``FluxPipeline``.

        Args:
            prompt: may be left out for inpainting.
            height: of the result in pixels, rounded down to a multiple of 16, as is the width. Default: the image's
                size, shrunk to the area of the base's usual square; without an image, or with a subject's, that square.
                Where only one side is given, the other keeps the image's proportions.
            num_inference_steps: default: what the base's authors use (dev 28, Fill 50, schnell 4).
            guidance_scale: an input of bases that were distilled with guidance. Default: dev 3.5, Fill 30, Kontext 2.5.
                Krea, whose folder cannot be told from dev's, takes 4.5: give ``usual_guidance`` when it is opened.
            true_cfg_scale: above 1 and with a negative prompt, the scale of classifier-free guidance, at twice the
                cost. Default: none; of FLUX.2 klein's base models and of Qwen-Image 4, against the empty prompt if
                there is no other.
            latents: the noise to begin with, in tokens.
            image: the picture to be filled, marked or edited, the condition, or the subject. With one prompt, a list is
                several pictures for it. With a list of prompts: one image for all, or one (or a list of some) for each.
                All but subjects are resized to the result's size, and have to be of the same proportions; subjects
                keep theirs.
            mask: white where the hole is, in the image's size; for the task "inpaint", and needed there.
            mask_image: diffusers' name of ``mask``.
            task: "inpaint", "grounding", "control", "customized" or "editing"; needed with an image, unless it is only
                the start (``strength``).
            strength: below 1, denoising starts from the (first) image with noise on it, at the step where diffusers'
                image-to-image starts, and leaves out the steps before. The task's source is seen as ever; for "inpaint"
                the start is the image as given, also in the hole. Without a task there is no source: image-to-image
                with the base alone. ``latents`` are the noise.
            padding_mask_crop: generate only the part around the hole, with so many pixels of padding, at full size, and
                put the hole back into the image. The result has the image's size and its pixels around the hole.
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
        if guidance_scale is not None and unwrapped(self.transformer).base_kind != "flux.1":
            raise ValueError(
                f"guidance_scale is for bases that were distilled with it: {usual.name} has true_cfg_scale"
            )
        self._guidance_scale = usual.guidance if guidance_scale is None else guidance_scale
        if true_cfg_scale is None:
            true_cfg_scale = usual.cfg
            if true_cfg_scale > 1 and negative_prompt is None and negative_prompt_embeds is None:
                negative_prompt = ""
        if not unwrapped(self.transformer).reads_pooled_text:
            pooled_prompt_embeds = no_channels(prompt_embeds)
            negative_pooled_prompt_embeds = no_channels(negative_prompt_embeds)
        self._joint_attention_kwargs = joint_attention_kwargs or {}
        self._current_timestep, self._interrupt = None, False
        if mask is not None and mask_image is not None:
            raise ValueError("mask and mask_image are two names of one argument: give one of them")
        mask = mask_image if mask is None else mask
        layout, chosen = Layout.of(self.transformer, codec), task_for(task, image, mask, strength)
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
        for name, asked in (("paste_known", paste_known), ("padding_mask_crop", padding_mask_crop is not None)):
            if asked and (mask is None or output_type == "latent"):
                raise ValueError(f"{name} needs a mask, and a result in pixels")
        if paste_known and padding_mask_crop is not None:
            raise ValueError("padding_mask_crop keeps what is around the hole by itself: leave paste_known out")
        if num_images_per_prompt < 1:
            raise ValueError(f"num_images_per_prompt must be at least 1, got {num_images_per_prompt}")
        num_prompts = None if isinstance(prompt, str) else num_given(prompt, prompt_embeds)
        given, crop = None if image is None else read_given(chosen, image, mask, num_prompts), None
        size = rounded(chosen_size(given, usual.side, height, width), layout.multiple)
        if given is not None and padding_mask_crop is not None:
            crop = Crop.around_hole(given, size, padding_mask_crop)
            given = crop.of(given)
        shown = conditions(given, size, layout.multiple)

        words_of = partial(self._words, max_sequence_length=max_sequence_length or usual.text_tokens)
        words, against = words_of(prompt, prompt_2, prompt_embeds, pooled_prompt_embeds), None
        if true_cfg_scale > 1 and (negative_prompt is not None or negative_prompt_embeds is not None):
            batch = len(words.embeds)
            negative, negative_2 = for_each(negative_prompt, batch), for_each(negative_prompt_2, batch)
            against = words_of(negative, negative_2, negative_prompt_embeds, negative_pooled_prompt_embeds)
            check_against(against, words)

        num_draws = len(words.embeds) * num_images_per_prompt
        latents = starting_noise(layout, size, num_draws, generator, latents, like=words.embeds)
        denoiser = self._denoiser(layout, shown, words, latents, true_cfg_scale)
        num_steps = usual.num_steps if num_inference_steps is None else num_inference_steps
        timesteps = step_times(self.scheduler, num_steps, sigmas, latents, layout.base_kind)
        order: int = self.scheduler.order  # how many timesteps make a step
        begin = order * first_step(math.ceil(len(timesteps) / order), strength)
        if strength < 1 and shown.whole is not None:
            latents = noised(layout, codec, shown.whole, latents, self.scheduler.sigmas[begin])
        called_back = None
        if callback_on_step_end is not None:
            called_back = partial(self._called_back, callback_on_step_end, callback_on_step_end_tensor_inputs)
        latents = denoise(
            denoiser,
            self._steps(timesteps, begin),
            latents,
            words.repeated(num_images_per_prompt),
            None if against is None else against.repeated(num_images_per_prompt),
            called_back,
        )
        self._routing = denoiser.source.routing if isinstance(denoiser.source, CallSource) else None
        images: Any = latents
        if output_type != "latent":
            pixels = codec.decode(layout.latents(latents, size))
            if crop is not None:
                pixels = crop.pasted(pixels)
            elif paste_known and shown.whole is not None and shown.mask is not None:
                pixels = with_known(pixels, shown.whole, shown.mask)
            images = self.image_processor.postprocess(pixels, output_type=output_type)
        self.maybe_free_model_hooks()
        return FluxPipelineOutput(images=images) if return_dict else (images,)

    @property
    def usual_cfg(self) -> float:
        """The scale of classifier-free guidance that the base's authors sample with; 1: none."""
        return self._usual.cfg

    @property
    def usual_steps(self) -> int:
        """The number of denoising steps that the base's authors sample with."""
        return self._usual.num_steps

    @property
    def routing(self) -> Routing | None:
        """What the routers chose in the last call, for each sample of each source in turn, block by block; None: it had
        no source, or there are no experts."""
        return self._routing

    def stop(self) -> None:
        """Let the running call take no more steps: what it returns is unfinished. For callbacks and other threads."""
        self._interrupt = True

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

    def _steps(self, timesteps: Float[Tensor, "steps"], begin: int) -> Generator[SchedulerStep, None, None]:
        """The scheduler's steps from number ``begin`` on, until the call is interrupted, with FLUX's bar over them."""
        timesteps = timesteps[begin:]
        self._num_timesteps = len(timesteps)
        self.scheduler.set_begin_index(begin)
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


# ``DiffusionPipeline.from_pretrained`` looks up the class that a folder names among diffusers' own, and nowhere else.
setattr(diffusers, CoLoGenPipeline.__name__, CoLoGenPipeline)
