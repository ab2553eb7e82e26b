"""The part of CoLoGen's transformer that is the same on every base: a source is written, then read in every block.

The source runs through the base alone, without text, and its keys and values are stored for each block ("write"). The
noisy and text tokens then run as in the stock model, with those appended ("read"). Both use the stock forward pass of
diffusers. What a base has of its own is in ``flux1.py``, ``flux2.py`` and ``qwen_image.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import torch
from diffusers.models.attention_dispatch import attention_backend
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from jaxtyping import Float
from torch import Tensor

from cologen.model.adapter_index import BaseKind
from cologen.model.expert_pool import ExpertPool, SourceTimestep
from cologen.model.hooks import refuse_if_parallel, without_step_caches
from cologen.model.routing import Routing
from cologen.model.source import SourceCache, SourceReader, SourceTokens, SourceWriter

_WOVEN = "_cologen_transformer"
"""The attribute of a stock transformer that holds the CoLoGen transformer which shares its modules."""

Sources = SourceCache | SourceTokens | Sequence[SourceTokens] | None


@dataclass
class CoLoGenOutput(Transformer2DModelOutput):
    """The velocity (``sample``) and, if a source was encoded in the same call, the routing."""

    routing: Routing | None = None


class WovenTransformer(ExpertPool):
    """A base's transformer with a pool of key-value experts in ``attn.prw`` of every block.

    It is mixed into the stock class of each base, and comes before it. It loads from any folder of the stock model, and
    without a source its output is the same to the bit. These arguments are added to the stock model's:

    Args:
        rank: of the experts. The paper: 128.
        expert_scale: what an expert's residual is multiplied with: LoRA's alpha by rank. The paper: 256 / 128.
        routing: whether a sample is routed as one, or each of its tokens.
        source_timestep: the time at which the source is encoded.
        num_experts: how many there are; ``add_expert`` raises it. Experts made here are initialised from seed 0.
        newcomer_bias: added to the newest expert's logit: ``NEWCOMER_BIAS`` when it joins, 0 after its warm-up.
    """

    _keep_in_fp32_modules = ["router"]  # noqa: RUF012, as diffusers reads it

    base_kind: ClassVar[BaseKind]
    """The kind of transformer that it stands on, which an adapter records."""
    processors: ClassVar[Mapping[type, type]]
    """The base's own attention processors, each with the one that also writes and reads a source."""
    reads_pooled_text: ClassVar[bool]
    """Whether the base has an input for a prompt's pooled embedding."""

    def _weave(self) -> None:
        """What each base's constructor ends with: processors, experts and routers of the settings."""
        if self._settings.source_timestep not in get_args(SourceTimestep):
            found = self._settings.source_timestep
            raise ValueError(f"source_timestep is {found!r}: expected one of zero, shared")
        self._number_processors()
        num_experts = self.num_experts
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
        """As in any diffusers model: reads the stock model's files, and our own with their experts.

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
        except (
            IndexError,
            NotImplementedError,
        ) as error:  # weights are missing, by all their names
            raise ValueError(f"the file does not hold the weights that its config names: {advice}") from error

    def set_attention_backend(self, backend: str) -> None:
        """As in any diffusers model, but of this model alone: diffusers would set it for the whole process too."""
        with attention_backend(backend):  # which restores the process's own
            super().set_attention_backend(backend)

    @staticmethod
    def guided(
        toward: Float[Tensor, "draws tokens dim"], away: Float[Tensor, "draws tokens dim"], scale: float
    ) -> Float[Tensor, "draws tokens dim"]:
        """The velocity of classifier-free guidance, from those for the prompt and for the negative one."""
        return away + scale * (toward - away)

    @classmethod
    def of(cls, stock: Any) -> Any:
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
        if stock.config.get("num_experts"):
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

    def _run(
        self,
        stock: dict[str, Any],
        *,
        pooled: Tensor | None,
        source: Sources,
        routing_noise: Tensor | None,
        task_experts: Tensor | None,
        return_dict: bool,
    ) -> CoLoGenOutput | tuple[Tensor, ...] | SourceCache:
        """What ``forward`` of every base does: ``stock`` are the stock model's own arguments but the pooled text.

        A cache is read as it is. Tokens are encoded here first, so that a training step is one call, which is what DDP
        and FSDP wrap; ``routing_noise`` is ε of eq. 2 for each source in turn along the batch, and is drawn in training
        if it is None. Without ``hidden_states`` there is nothing to denoise, and the encoded source is returned.
        ``task_experts`` is the expert of each sample's task, for training with a veteran gate for each.
        """
        hidden_states, timestep, kwargs = (stock[name] for name in _NEEDED)
        if source is not None:
            refuse_if_parallel(self)
        if task_experts is not None and (source is None or isinstance(source, SourceCache)):
            raise ValueError("task_experts say how a source is routed: give one in tokens")
        if task_experts is not None and len(task_experts) != len(timestep):
            raise ValueError(f"there are {len(task_experts)} task_experts for {len(timestep)} samples")
        if source is not None and not isinstance(source, SourceCache):
            sources = [source] if isinstance(source, SourceTokens) else list(source)
            if hidden_states is not None and self.is_cache_enabled:
                raise ValueError("a step cache is enabled: encode the source with encode_source, and give its cache")
            if routing_noise is not None:
                noises = routing_noise.chunk(len(sources))
            else:
                noises = [None if hidden_states is None else self._noise_for(each) for each in sources]
            source = self._encoded(sources, pooled, timestep, kwargs, noises, task_experts)
            if hidden_states is None:
                return source
        if hidden_states is None:
            raise ValueError("hidden_states is None: give the noisy latent, or a source in tokens to encode it")
        if source is not None:
            self._check(source, hidden_states)
            stock = {**stock, "joint_attention_kwargs": {**(kwargs or {}), "source": SourceReader(source)}}
        (sample,) = self._stock_forward(stock, pooled)
        routing = None if source is None else source.routing
        return CoLoGenOutput(sample=sample, routing=routing) if return_dict else (sample,)

    def encode_source(
        self,
        source: SourceTokens | Sequence[SourceTokens],
        *,
        pooled_projections: Tensor | None = None,
        timestep: Tensor | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        routing_noise: Tensor | None = None,
    ) -> SourceCache:
        """Keys and values of one or several sources, each encoded alone, at guidance 1.

        Args:
            source: all with the same number of samples.
            pooled_projections: the prompt's pooled embedding (batch, channels), or that of the empty prompt for a cache
                that serves several prompts; needed by bases that read one, and ignored by others.
            timestep: that of the noisy latent (batch); used only by models whose ``source_timestep`` is "shared".
            joint_attention_kwargs: as in ``forward``: the scale of LoRAs, for one.
            routing_noise: ε of eq. 2, for each source in turn along the batch. None: no noise, in training too.

        Raises:
            ValueError: no timestep for "shared", or attention processors that are not CoLoGen's.
        """
        if timestep is None and self._settings.source_timestep == "shared":
            raise ValueError("this model sees its source at the noisy latent's time (shared): give the timestep")
        first = source if isinstance(source, SourceTokens) else source[0]
        # A call of the model, so that hooks on it run (offloading); but for a step cache this is no step.
        with without_step_caches(self):
            return self(
                hidden_states=None,
                encoder_hidden_states=None,
                pooled_projections=pooled_projections,
                timestep=first.tokens[:, 0, 0] if timestep is None else timestep,
                img_ids=None,
                txt_ids=None,
                joint_attention_kwargs=joint_attention_kwargs,
                source=source,
                routing_noise=routing_noise,
            )

    def _encoded(
        self,
        sources: Sequence[SourceTokens],
        pooled: Tensor | None,
        timestep: Tensor,
        joint_attention_kwargs: dict[str, Any] | None,
        noises: Sequence[Tensor | None],
        task_experts: Tensor | None,
    ) -> SourceCache:
        ours = set(self.processors.values())
        if any(type(attn.processor) not in ours for attn in self._attentions()):
            raise ValueError("other attention processors were set in place of CoLoGen's: a source cannot be seen")
        if self._settings.source_timestep == "zero":
            timestep = torch.zeros_like(timestep)
        return SourceCache.join(
            [
                self._write(each, noise, task_experts, pooled, timestep, joint_attention_kwargs)
                for each, noise in zip(sources, noises, strict=True)
            ]
        )

    def _write(
        self,
        source: SourceTokens,
        noise: Tensor | None,
        task_experts: Tensor | None,
        pooled: Tensor | None,
        timestep: Tensor,
        joint_attention_kwargs: dict[str, Any] | None,
    ) -> SourceCache:
        """The stock forward pass without text, for its keys and values; the output is discarded."""
        batch = source.tokens.shape[0]
        writer = SourceWriter(noise=noise, newcomer_bias=self.newcomer_bias, task_experts=task_experts)
        stock = {
            "hidden_states": source.tokens,
            "encoder_hidden_states": source.tokens.new_zeros(batch, 0, self._settings.joint_attention_dim),
            "timestep": timestep,
            "img_ids": source.ids,
            "txt_ids": source.ids[:0],
            "guidance": torch.ones_like(timestep) if self._settings.guidance_embeds else None,
            "joint_attention_kwargs": {**(joint_attention_kwargs or {}), "writing": writer},
        }
        self._stock_forward(stock, pooled)
        return writer.cache()

    def _stock_forward(self, stock: dict[str, Any], pooled: Tensor | None) -> tuple[Tensor]:
        forward: Any = super().forward  # of the base that this is mixed into
        if self.reads_pooled_text:
            stock = {**stock, "pooled_projections": pooled}
        return forward(**stock, return_dict=False)

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
        """As in any diffusers model; the base's own processors become CoLoGen's, which do the same without a source."""
        super().set_attn_processor(processor)
        self._number_processors()

    def _number_processors(self) -> None:
        ours = set(self.processors.values())
        for block, attn in enumerate(self._attentions()):
            given = attn.processor
            kind = type(given) if type(given) in ours else self.processors.get(type(given))
            if kind is None:
                continue
            numbered = kind(block)
            vars(numbered).update({**vars(given), "block": block})
            attn.set_processor(numbered)


_NEEDED = ("hidden_states", "timestep", "joint_attention_kwargs")
