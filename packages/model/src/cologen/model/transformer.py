"""CoLoGen's transformer: FLUX with Progressive Representation Weaving in every attention block.

The source runs through the base alone, without text, and its keys and values are stored for each block ("write"). The
noisy and text tokens then run as in FLUX, with those appended ("read"). Both use the stock forward pass of diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import torch
from diffusers import FluxTransformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_dispatch import attention_backend
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor
from jaxtyping import Float, Int
from torch import Tensor

from cologen.model.attention import WeavingProcessor
from cologen.model.expert_pool import FluxWithExperts, SourceTimestep
from cologen.model.hooks import refuse_if_parallel, without_step_caches
from cologen.model.routing import Routing
from cologen.model.source import SourceCache, SourceReader, SourceTokens, SourceWriter
from cologen.model.weaving import Granularity

_WOVEN = "_cologen_transformer"
"""The attribute of a stock transformer that holds the CoLoGen transformer which shares its modules."""


@dataclass
class CoLoGenOutput(Transformer2DModelOutput):
    """The velocity (``sample``) and, if a source was encoded in the same call, the routing."""

    routing: Routing | None = None


class CoLoGenTransformer2DModel(FluxWithExperts):
    """FLUX's transformer with a pool of key-value experts in ``attn.prw`` of every block.

    It loads from any folder of a FLUX transformer, and without a source its output is the same to the bit. These
    arguments are added to FLUX's:

    Args:
        rank: of the experts. The paper: 128.
        expert_scale: what an expert's residual is multiplied with: LoRA's alpha by rank. The paper: 256 / 128.
        routing: whether a sample is routed as one, or each of its tokens.
        source_timestep: the time at which the source is encoded.
        num_experts: how many there are; ``add_expert`` raises it. Experts made here are initialised from seed 0.
        newcomer_bias: added to the newest expert's logit: ``NEWCOMER_BIAS`` when it joins, 0 after its warm-up.
    """

    _keep_in_fp32_modules = ["router"]  # noqa: RUF012, as diffusers reads it

    @register_to_config
    def __init__(
        self,
        patch_size: int = 1,
        in_channels: int = 64,
        out_channels: int | None = None,
        num_layers: int = 19,
        num_single_layers: int = 38,
        attention_head_dim: int = 128,
        num_attention_heads: int = 24,
        joint_attention_dim: int = 4096,
        pooled_projection_dim: int = 768,
        guidance_embeds: bool = False,
        axes_dims_rope: Sequence[int] = (16, 56, 56),
        rank: int = 128,
        expert_scale: float = 2.0,
        routing: Granularity = "sample",
        source_timestep: SourceTimestep = "zero",
        num_experts: int = 0,
        newcomer_bias: float = 0.0,
    ) -> None:
        super().__init__(
            patch_size=patch_size,
            in_channels=in_channels,
            out_channels=out_channels,
            num_layers=num_layers,
            num_single_layers=num_single_layers,
            attention_head_dim=attention_head_dim,
            num_attention_heads=num_attention_heads,
            joint_attention_dim=joint_attention_dim,
            pooled_projection_dim=pooled_projection_dim,
            guidance_embeds=guidance_embeds,
            axes_dims_rope=cast(tuple[int, int, int], tuple(axes_dims_rope)),
        )
        if source_timestep not in get_args(SourceTimestep):
            raise ValueError(f"source_timestep is {source_timestep!r}: expected one of zero, shared")
        self._number_processors()
        self._furnish(num_experts, self.dtype)
        for number in range(num_experts):
            self._draw(number, 0)

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in any diffusers model; experts that the folder lacks are initialised as by the constructor.

        The result does not depend on ``low_cpu_mem_usage``, which is always on: diffusers refuses to keep the routers
        in float32 without it.
        """
        with_info: bool = kwargs.pop("output_loading_info", False)
        if not kwargs.get("low_cpu_mem_usage", True):
            kwargs.pop("low_cpu_mem_usage")
        read: Any = super().from_pretrained
        model, info = read(*args, **kwargs, output_loading_info=True)
        model._begin_missing_experts(set(info["missing_keys"]))
        return (model, info) if with_info else model

    @classmethod
    def from_single_file(cls, *args: Any, **kwargs: Any) -> Any:
        """As in any diffusers model: reads FLUX's files, and our own with their experts.

        Raises:
            ValueError: experts were asked for, by ``num_experts`` or the ``config``, that the file does not hold.
        """
        advice = "read it with num_experts=0, and let experts join with add_expert or load_adapter"
        if kwargs.get("num_experts"):
            raise ValueError(
                f"from_single_file reads the experts that a file holds, and takes no num_experts: {advice}"
            )
        read: Any = super().from_single_file
        try:
            return read(*args, **kwargs)
        except (IndexError, NotImplementedError) as error:  # weights are missing, by diffusers' and FLUX's own names
            raise ValueError(f"the file does not hold the weights that its config names: {advice}") from error

    def set_attention_backend(self, backend: str) -> None:
        """As in any diffusers model, but of this model alone: diffusers would set it for the whole process too."""
        with attention_backend(backend):  # which restores the process's own
            super().set_attention_backend(backend)

    @classmethod
    def of(cls, stock: FluxTransformer2DModel) -> CoLoGenTransformer2DModel:
        """A stock transformer as CoLoGen's, without experts: both share their modules, so nothing is copied.

        The stock transformer keeps working as before: it holds the experts that the new one gets, but does not use
        them. Another call with the same transformer returns the same object.

        Raises:
            ValueError: it has been offloaded, wrapped or given other hooks, or its files held experts.
        """
        if "forward" in vars(stock) or getattr(stock, "_parallel_config", None) is not None:
            raise ValueError(
                "the stock transformer is offloaded, parallel or has other hooks: turn it into CoLoGen's before that"
            )
        if cast(Any, stock.config).get("num_experts"):
            raise ValueError("the stock transformer was read from CoLoGen's files without its experts: read it as ours")
        if _WOVEN not in vars(stock):
            model = cls.__new__(cls)
            vars(model).update(vars(stock))
            model.register_to_config(
                rank=128, expert_scale=2.0, routing="sample", source_timestep="zero", newcomer_bias=0.0
            )
            model.set_attn_processor(dict(stock.attn_processors))
            model._furnish(0, model.dtype)
            vars(stock)[_WOVEN] = model
        return vars(stock)[_WOVEN]

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride], what FLUX cannot do without has no default here
        self,
        hidden_states: Float[Tensor, "batch tokens channels"] | None,
        encoder_hidden_states: Float[Tensor, "batch text_tokens text_dim"] | None,
        pooled_projections: Float[Tensor, "batch pooled_dim"],
        timestep: Float[Tensor, "batch"],
        img_ids: Float[Tensor, "tokens 3"] | None,
        txt_ids: Float[Tensor, "text_tokens 3"] | None,
        guidance: Float[Tensor, "batch"] | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        controlnet_block_samples: Any = None,
        controlnet_single_block_samples: Any = None,
        return_dict: bool = True,
        controlnet_blocks_repeat: bool = False,
        *,
        source: SourceCache | SourceTokens | Sequence[SourceTokens] | None = None,
        routing_noise: Float[Tensor, "sources_by_batch blocks *source_tokens experts"] | None = None,
        task_experts: Int[Tensor, "given"] | None = None,
    ) -> CoLoGenOutput | tuple[Tensor, ...] | SourceCache:
        """The velocity at ``timestep`` in [0, 1], as FLUX gives it, seeing ``source``.

        A cache is read as it is. Tokens are encoded here first, so that a training step is one call, which is what DDP
        and FSDP wrap; ``routing_noise`` is ε of eq. 2 for each source in turn along the batch, and is drawn in training
        if it is None. Without ``hidden_states`` there is nothing to denoise, and the encoded source is returned.
        ``task_experts`` is the expert of each sample's task, for training with a veteran gate for each.

        Raises:
            ValueError: a cache of another batch, or of a model with another number of blocks; ``task_experts`` of
                another batch, or without a source in tokens.
        """
        if source is not None:
            refuse_if_parallel(self)
        if task_experts is not None and (source is None or isinstance(source, SourceCache)):
            raise ValueError("task_experts say how a source is routed: give one in tokens")
        if task_experts is not None and len(task_experts) != len(pooled_projections):
            raise ValueError(f"there are {len(task_experts)} task_experts for {len(pooled_projections)} samples")
        if source is not None and not isinstance(source, SourceCache):
            sources = [source] if isinstance(source, SourceTokens) else list(source)
            if hidden_states is not None and self.is_cache_enabled:
                raise ValueError("a step cache is enabled: encode the source with encode_source, and give its cache")
            if routing_noise is not None:
                noises = routing_noise.chunk(len(sources))
            else:
                noises = [None if hidden_states is None else self._noise_for(each) for each in sources]
            source = self._encoded(sources, pooled_projections, timestep, joint_attention_kwargs, noises, task_experts)
            if hidden_states is None:
                return source
        if hidden_states is None:
            raise ValueError("hidden_states is None: give the noisy latent, or a source in tokens to encode it")
        if source is not None:
            self._check(source, hidden_states)
            joint_attention_kwargs = {**(joint_attention_kwargs or {}), "source": SourceReader(source)}
        (sample,) = self._stock_forward(
            hidden_states=hidden_states,
            encoder_hidden_states=encoder_hidden_states,
            pooled_projections=pooled_projections,
            timestep=timestep,
            img_ids=img_ids,
            txt_ids=txt_ids,
            guidance=guidance,
            joint_attention_kwargs=joint_attention_kwargs,
            controlnet_block_samples=controlnet_block_samples,
            controlnet_single_block_samples=controlnet_single_block_samples,
            controlnet_blocks_repeat=controlnet_blocks_repeat,
        )
        routing = None if source is None else source.routing
        return CoLoGenOutput(sample=sample, routing=routing) if return_dict else (sample,)

    def encode_source(
        self,
        source: SourceTokens | Sequence[SourceTokens],
        *,
        pooled_projections: Float[Tensor, "batch pooled_dim"],
        timestep: Float[Tensor, "batch"] | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        routing_noise: Float[Tensor, "sources_by_batch blocks *source_tokens experts"] | None = None,
    ) -> SourceCache:
        """Keys and values of one or several sources, each encoded alone, at guidance 1.

        Args:
            source: each with as many samples as ``pooled_projections``.
            pooled_projections: the prompt's pooled embedding, or that of the empty prompt for a cache that serves
                several prompts.
            timestep: that of the noisy latent; used only by models whose ``source_timestep`` is "shared".
            joint_attention_kwargs: as in ``forward``: the scale of LoRAs, for one.
            routing_noise: ε of eq. 2, for each source in turn along the batch. None: no noise, in training too.

        Raises:
            ValueError: no timestep for "shared", or attention processors that are not CoLoGen's.
        """
        if timestep is None and self._settings.source_timestep == "shared":
            raise ValueError("this model sees its source at the noisy latent's time (shared): give the timestep")
        # A call of the model, so that hooks on it run (offloading); but for a step cache this is no step.
        with without_step_caches(self):
            return self(
                hidden_states=None,
                encoder_hidden_states=None,
                pooled_projections=pooled_projections,
                timestep=pooled_projections[:, 0] if timestep is None else timestep,
                img_ids=None,
                txt_ids=None,
                joint_attention_kwargs=joint_attention_kwargs,
                source=source,
                routing_noise=routing_noise,
            )

    def _encoded(
        self,
        sources: Sequence[SourceTokens],
        pooled_projections: Tensor,
        timestep: Tensor,
        joint_attention_kwargs: dict[str, Any] | None,
        noises: Sequence[Tensor | None],
        task_experts: Tensor | None,
    ) -> SourceCache:
        if any(not isinstance(attn.processor, WeavingProcessor) for attn in self._attentions()):
            raise ValueError("other attention processors were set in place of CoLoGen's: a source cannot be seen")
        if self._settings.source_timestep == "zero":
            timestep = torch.zeros_like(pooled_projections[:, 0])
        return SourceCache.join(
            [
                self._write(each, noise, task_experts, pooled_projections, timestep, joint_attention_kwargs)
                for each, noise in zip(sources, noises, strict=True)
            ]
        )

    def _write(
        self,
        source: SourceTokens,
        noise: Tensor | None,
        task_experts: Tensor | None,
        pooled: Tensor,
        timestep: Tensor,
        joint_attention_kwargs: dict[str, Any] | None,
    ) -> SourceCache:
        """The stock forward pass without text, for its keys and values; the output is discarded."""
        batch = source.tokens.shape[0]
        writer = SourceWriter(noise=noise, newcomer_bias=self.newcomer_bias, task_experts=task_experts)
        self._stock_forward(
            hidden_states=source.tokens,
            encoder_hidden_states=source.tokens.new_zeros(batch, 0, self._settings.joint_attention_dim),
            pooled_projections=pooled,
            timestep=timestep,
            img_ids=source.ids,
            txt_ids=source.ids.new_zeros(0, 3),
            guidance=torch.ones_like(timestep) if self._settings.guidance_embeds else None,
            joint_attention_kwargs={**(joint_attention_kwargs or {}), "writing": writer},
        )
        return writer.cache()

    def _stock_forward(self, **arguments: Any) -> tuple[Tensor]:
        forward: Any = super().forward  # its annotations are narrower than what it takes
        return forward(**arguments, return_dict=False)

    def _noise_for(self, source: SourceTokens) -> Tensor | None:
        if not self.training or not self._settings.num_experts:
            return None
        batch, num_tokens = source.tokens.shape[:2]
        tokens = [num_tokens] if self._settings.routing == "token" else []
        return torch.randn(batch, self.num_blocks, *tokens, self._settings.num_experts, device=source.tokens.device)

    def _check(self, cache: SourceCache, hidden_states: Tensor) -> None:
        if cache.batch != hidden_states.shape[0]:
            raise ValueError(
                f"the source was encoded for a batch of {cache.batch}, the latent has {hidden_states.shape[0]}: "
                "repeat the cache with SourceCache.repeated"
            )
        if len(cache.keys) != self.num_blocks:
            raise ValueError(f"the source was encoded by a model of {len(cache.keys)} blocks, not {self.num_blocks}")

    def set_attn_processor(self, processor: Any) -> None:
        """As in any diffusers model; FLUX's own processor becomes CoLoGen's, which does the same without a source."""
        super().set_attn_processor(processor)
        self._number_processors()

    def _number_processors(self) -> None:
        for block, attn in enumerate(self._attentions()):
            given = attn.processor
            if type(given) not in (FluxAttnProcessor, WeavingProcessor):
                continue
            numbered = WeavingProcessor(block)
            vars(numbered).update({**vars(given), "block": block})
            attn.set_processor(numbered)
