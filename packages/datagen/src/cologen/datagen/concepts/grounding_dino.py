"""The network of GroundingDINO out of ``groundingdino-py``, from its original configuration and checkpoint files.

The package was written for transformers 4 and for one picture at a time. Here it gets a text encoder that works with
transformers 5, and one correction: without it, captions of a batch would use each other's masks.
"""

from __future__ import annotations

import ast
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn
from transformers import AutoConfig, AutoTokenizer, BertModel, PreTrainedTokenizerBase

from cologen.datagen.weights import fill, read_state_dict


def load_grounding_dino(config: Path, checkpoint: Path, text_encoder: str) -> nn.Module:
    """The network with its weights, in evaluation mode on the CPU; its ``tokenizer`` reads the prompts.

    Args:
        config: ``GroundingDINO_SwinT_OGC.py`` or another of its form: ``name = literal`` lines, read and not run.
        checkpoint: ``groundingdino_swint_ogc.pth`` or another; it holds the text encoder's weights too.
        text_encoder: BERT's configuration and vocabulary: a folder, or a name on the hub (``bert-base-uncased``).

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the configuration lacks a setting, or the checkpoint does not fit it.
    """
    network = build_grounding_dino(config, text_encoder)
    fill(network, read_state_dict(checkpoint), checkpoint)
    return network.eval().requires_grad_(False)


def build_grounding_dino(config: Path, text_encoder: str) -> nn.Module:
    """The network as first initialised; see :func:`load_grounding_dino`."""
    from groundingdino.models import build_model

    # Checkpointing trades time for memory in the backward pass, and there is none.
    args = SimpleNamespace(**read_config(config) | {"use_checkpoint": False, "use_transformer_ckpt": False})
    with _given(*_text_encoder(text_encoder)):
        try:
            network = build_model(args)
        except AttributeError as error:
            if error.obj is not args:
                raise
            raise ValueError(f"{config} lacks the setting {error.name!r}") from error
    for layer in network.transformer.encoder.text_layers:
        layer.register_forward_pre_hook(_masks_per_sample, with_kwargs=True)
    return network


def read_config(config: Path) -> dict[str, Any]:
    """The settings of a configuration file in the original form, one ``name = literal`` per line.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else than assignments of literals.
    """
    if not config.is_file():
        raise FileNotFoundError(f"no configuration at {config}")
    try:
        return dict(_assignments(ast.parse(config.read_text())))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{config} is not a list of `name = literal`: {error}") from error


def _assignments(module: ast.Module) -> Iterator[tuple[str, Any]]:
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, ast.literal_eval(value)
            case _:
                raise ValueError(f"line {statement.lineno} is no assignment")


class PhraseBert(BertModel):
    """BERT as GroundingDINO asks for it: with a mask of its own for each token, so that a phrase sees only itself."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        input_ids: Int64[Tensor, "batch tokens"],
        attention_mask: Bool[Tensor, "batch tokens tokens"],
        position_ids: Int64[Tensor, "batch tokens"],
        token_type_ids: Int64[Tensor, "batch tokens"] | None = None,
    ) -> Any:
        """``attention_mask[b, i, j]`` says whether token i of text b sees token j."""
        hidden = torch.zeros_like(attention_mask, dtype=self.dtype)
        hidden.masked_fill_(~attention_mask, torch.finfo(self.dtype).min)
        return super().forward(
            input_ids=input_ids,
            attention_mask=hidden[:, None],
            position_ids=position_ids,
            token_type_ids=token_type_ids,
        )


def _text_encoder(name: str) -> tuple[PreTrainedTokenizerBase, PhraseBert]:
    """The tokenizer and a BERT without weights."""
    try:
        config: Any = AutoConfig.from_pretrained(name)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except OSError as error:
        raise FileNotFoundError(f"no configuration and vocabulary of a BERT at {name}: {error}") from error
    if config.model_type != "bert":
        raise ValueError(f"the text encoder must be a BERT, but {name} is a {config.model_type}")
    return tokenizer, PhraseBert(config)


@contextmanager
def _given(tokenizer: PreTrainedTokenizerBase, bert: PhraseBert) -> Generator[None]:
    """While the network is built, its module uses these two instead of downloading weights that the checkpoint holds.

    Nor does it wrap BERT in a class that relies on methods removed in transformers 5: ``PhraseBert`` needs no wrapper.
    """
    from groundingdino.models.GroundingDINO import groundingdino as module

    originals = module.get_tokenlizer, module.BertModelWarper
    module.get_tokenlizer = SimpleNamespace(
        get_tokenlizer=lambda _: tokenizer, get_pretrained_language_model=lambda _: bert
    )
    module.BertModelWarper = lambda bert_model: bert_model
    try:
        yield
    finally:
        module.get_tokenlizer, module.BertModelWarper = originals


def _masks_per_sample(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Repeat each text's mask over the attention heads in the order in which attention reads them: sample by sample.

    The layer itself repeats the whole batch of masks head by head, so with several texts in a batch each text would get
    its neighbours' masks. For a single text the two orders are equal.
    """
    masks = kwargs["src_mask"].repeat_interleave(cast(Any, layer).nhead, dim=0)
    return args, kwargs | {"src_mask": masks}
