"""CoLoGen's transformer: FLUX with Progressive Representation Weaving in every attention block.

The source runs through the base alone, without text, and leaves keys and values in each block ("write"); the noisy and
text tokens run as they always do, with those appended ("read"). Both are the stock forward pass of diffusers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import torch
from diffusers import FluxTransformer2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor
from jaxtyping import Float
from torch import Tensor, nn

from cologen.model.attention import WeavingProcessor
from cologen.model.experts import KVExpert
from cologen.model.hooks import refuse_if_parallel, refuse_if_weights_are_elsewhere, without_step_caches
from cologen.model.routing import Routing
from cologen.model.source import SourceCache, SourceReader, SourceTokens, SourceWriter
from cologen.model.weaving import Granularity, ProgressiveRepresentationWeaving

SourceTimestep = Literal["zero", "shared"]
"""At which time a source is seen: always 0, so that it need be encoded only once, or at that of the noisy latent."""

_WOVEN = "_cologen_transformer"
"""Where a stock transformer keeps the one that shares its modules."""

NEWCOMER_BIAS = -8.0
"""Where the newest expert's logit begins: the function learned before changes by about 1 % (SPEC 2.7)."""


@dataclass
class CoLoGenOutput(Transformer2DModelOutput):
    """The velocity (``sample``) and, if a source was encoded along the way, what the routers decided."""

    routing: Routing | None = None


class CoLoGenTransformer2DModel(FluxTransformer2DModel):
    """FLUX's transformer with a pool of key-value experts in ``attn.prw`` of every block.

    It loads from any folder of a FLUX transformer, and without a source it is that transformer, to the bit. On top of
    FLUX's arguments there are:

    Args:
        rank: of the experts. The paper: 128.
        expert_scale: what an expert's residual is multiplied with: LoRA's alpha by rank. The paper: 256 / 128.
        routing: whether a sample is routed as one, or each of its tokens.
        source_timestep: at which time the source is seen.
        num_experts: how many there are; ``add_expert`` raises it. Those made here begin as seed 0 draws them.
        newcomer_bias: added to the newest expert's logit: -8 when it joins, 0 after its warm-up.
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
            self._draw(number, _generator(0, number))

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As every model of diffusers; experts that the folder does not hold begin as the constructor makes them.

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
        """As every model of diffusers: FLUX's files, and our own with the experts that they hold.

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

    @classmethod
    def of(cls, stock: FluxTransformer2DModel) -> CoLoGenTransformer2DModel:
        """A stock transformer as CoLoGen's, without experts: both share their modules, so nothing is copied.

        The stock one goes on as it was. It carries the experts that the new one gets, but does not use them. Asked
        again for the same one, the answer is the same.

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
    ) -> CoLoGenOutput | tuple[Tensor, ...] | SourceCache:
        """The velocity at ``timestep`` in [0, 1], as FLUX gives it, seeing ``source``.

        A cache is read as it is. Tokens are encoded here first, so that a training step is one call, which is what DDP
        and FSDP wrap; ``routing_noise`` is ε of eq. 2 for each source in turn along the batch, and is drawn in training
        if it is None. Without ``hidden_states`` there is nothing to denoise, and the encoded source is returned.

        Raises:
            ValueError: a cache of another batch, or of a model with another number of blocks.
        """
        if source is not None:
            refuse_if_parallel(self)
        if source is not None and not isinstance(source, SourceCache):
            sources = [source] if isinstance(source, SourceTokens) else list(source)
            if hidden_states is not None and self.is_cache_enabled:
                raise ValueError("a step cache is enabled: encode the source with encode_source, and give its cache")
            if routing_noise is not None:
                noises = routing_noise.chunk(len(sources))
            else:
                noises = [None if hidden_states is None else self._noise_for(each) for each in sources]
            source = self._encoded(sources, pooled_projections, timestep, joint_attention_kwargs, noises)
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
    ) -> SourceCache:
        if any(not isinstance(attn.processor, WeavingProcessor) for attn in self._attentions()):
            raise ValueError("other attention processors were set in place of CoLoGen's: a source cannot be seen")
        if self._settings.source_timestep == "zero":
            timestep = torch.zeros_like(pooled_projections[:, 0])
        return SourceCache.join(
            [
                self._write(each, noise, pooled_projections, timestep, joint_attention_kwargs)
                for each, noise in zip(sources, noises, strict=True)
            ]
        )

    def _write(
        self,
        source: SourceTokens,
        noise: Tensor | None,
        pooled: Tensor,
        timestep: Tensor,
        joint_attention_kwargs: dict[str, Any] | None,
    ) -> SourceCache:
        """The stock forward pass without text; what it puts out is of no use, what it leaves behind is."""
        batch = source.tokens.shape[0]
        writer = SourceWriter(noise=noise, newcomer_bias=self.newcomer_bias)
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

    @property
    def num_blocks(self) -> int:
        """L_n: double-stream and single-stream blocks together."""
        return len(self.transformer_blocks) + len(self.single_transformer_blocks)

    @property
    def num_experts(self) -> int:
        """N: how many experts each block has."""
        return self._settings.num_experts

    def register_to_config(self, **kwargs: Any) -> None:
        """As every model of diffusers; what is set is no default any more, which ``from_config`` would ignore."""
        defaults = self._settings.get("_use_default_values", []) if hasattr(self, "_internal_dict") else []
        kwargs.setdefault("_use_default_values", [name for name in defaults if name not in kwargs])
        super().register_to_config(**kwargs)

    @property
    def newcomer_bias(self) -> float:
        """What is added to the newest expert's logit; it is saved with the configuration."""
        return self._settings.newcomer_bias

    @newcomer_bias.setter
    def newcomer_bias(self, bias: float) -> None:
        self.register_to_config(newcomer_bias=bias)

    def set_attn_processor(self, processor: Any) -> None:
        """As every model of diffusers; FLUX's own processor becomes CoLoGen's, which does the same without a source."""
        super().set_attn_processor(processor)
        self._number_processors()

    @property
    def _settings(self) -> Any:
        return self.config

    def add_expert(self, seed: int, *, dtype: torch.dtype = torch.float32) -> int:
        """Let an expert join every block, drawn from ``seed`` and its number; return that number.

        It begins with ``newcomer_bias`` on its logit if there are others; the trainer anneals that to 0. It is kept in
        float32 by default, whatever the base's precision, since an optimizer's small steps are lost in bf16; products
        are computed in the precision of the hidden states.

        Raises:
            ValueError: the weights are offloaded or sharded.
        """
        refuse_if_weights_are_elsewhere(self, "add experts")
        number = self.num_experts
        for attn in self._attentions():
            attn.prw.add_expert(dtype=dtype, device=attn.norm_q.weight.device)
        self._draw(number, _generator(seed, number))
        self.register_to_config(num_experts=number + 1)
        self.newcomer_bias = NEWCOMER_BIAS if number else 0.0
        return number

    def trainable_parameters(self, stage: int) -> dict[str, nn.Parameter]:
        """What trains at ``stage``: that stage's expert and the router, in every block, by name.

        Raises:
            ValueError: the model does not have exactly ``stage + 1`` experts.
        """
        if self.num_experts != stage + 1:
            raise ValueError(f"stage {stage} trains the last of {stage + 1} experts, and there are {self.num_experts}")
        parts = (f".prw.experts.{stage}.", ".prw.router.")
        return {name: weight for name, weight in self.named_parameters() if any(part in name for part in parts)}

    def freeze_for(self, stage: int) -> dict[str, nn.Parameter]:
        """Let only what trains at ``stage`` require gradients, and return it."""
        trainable = self.trainable_parameters(stage)
        self.requires_grad_(False)
        for weight in trainable.values():
            weight.requires_grad_(True)
        return trainable

    def rebuild(
        self,
        num_experts: int,
        *,
        rank: int,
        expert_scale: float,
        routing: Granularity,
        source_timestep: SourceTimestep,
        dtype: torch.dtype,
    ) -> None:
        """Put a pool of this form, whose numbers are still to be loaded, in place of the present one.

        Raises:
            ValueError: the weights are offloaded or sharded.
        """
        refuse_if_weights_are_elsewhere(self, "load the adapter")
        self.newcomer_bias = 0.0
        self.register_to_config(rank=rank, expert_scale=expert_scale, routing=routing, source_timestep=source_timestep)
        self._furnish(num_experts, dtype)

    def _furnish(self, num_experts: int, dtype: torch.dtype) -> None:
        dim = self.inner_dim
        for attn in self._attentions():
            attn.prw = ProgressiveRepresentationWeaving(
                dim, self._settings.rank, self._settings.expert_scale, self._settings.routing
            )
            for _ in range(num_experts):
                attn.prw.add_expert(dtype=dtype, device=attn.norm_q.weight.device)
        self.register_to_config(num_experts=num_experts)

    def _draw(self, number: int, generator: torch.Generator) -> None:
        for attn in self._attentions():
            attn.prw.experts[number].draw(generator)

    def _begin_missing_experts(self, missing: set[str]) -> None:
        """Give the experts and routers that no file held, and that have no memory yet, their beginning."""
        beside = {part: attn.norm_q.weight for attn in self._attentions() for part in attn.prw.modules()}
        for name, weight in list(self.named_parameters()):
            if ".prw." in name and name in missing and weight.is_meta:
                owner, _, own = name.rpartition(".")
                part = self.get_submodule(owner)
                dtype = beside[part].dtype if isinstance(part, KVExpert) else weight.dtype
                fresh = torch.zeros_like(weight, dtype=dtype, device=beside[part].device)
                setattr(part, own, nn.Parameter(fresh))
        for number in range(self.num_experts):
            if any(f".prw.experts.{number}.down" in name for name in missing):
                self._draw(number, _generator(0, number))

    def _number_processors(self) -> None:
        for block, attn in enumerate(self._attentions()):
            given = attn.processor
            if type(given) not in (FluxAttnProcessor, WeavingProcessor):
                continue
            numbered = WeavingProcessor(block)
            vars(numbered).update({**vars(given), "block": block})
            attn.set_processor(numbered)

    def _attentions(self) -> Iterator[Any]:
        """The attention of every block, double-stream blocks first, as they run."""
        for block in (*self.transformer_blocks, *self.single_transformer_blocks):
            yield block.attn


def _generator(seed: int, number: int) -> torch.Generator:
    """What expert ``number`` is drawn from, block after block."""
    return torch.Generator().manual_seed(seed * 1_000_003 + number)
