"""Handles what other libraries attach to a transformer: compile and DDP wrappers, offloading, sharding, step caches.

diffusers keeps its hooks in ``module._diffusers_hook``, accelerate in ``module._hf_hook``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.distributed.tensor import DTensor

_STEP_CACHES = ("_cache", "pyramid_attention_broadcast")
"""Name endings of the modules in ``diffusers.hooks`` whose hooks skip work that an earlier step has done."""

_INFIXES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What compiled, sharded or checkpointed submodules add to the names of their weights."""


def unwrapped(model: Any) -> Any:
    """The model inside the wrappers of ``torch.compile``, DDP and peft."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif hasattr(model, "get_base_model"):
            model = model.get_base_model()
        elif isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        else:
            return model


def plain_name(name: str) -> str:
    """A weight's name without what wrapped submodules add to it."""
    for infix in _INFIXES:
        name = name.replace(infix, "")
    return name


def refuse_if_weights_are_elsewhere(model: nn.Module, action: str, *, sharded: bool = False) -> None:
    """Refuse ``action`` (to "load the adapter") on a model whose weights are offloaded or sharded.

    Args:
        sharded: allowed, since the weights can be gathered.

    Raises:
        ValueError: they are offloaded one by one or in groups, or sharded.
    """
    if any(hasattr(each, "_hf_hook") and _has_meta(each) for each in model.modules()):
        where = "offloaded one by one"
    elif any(registry.get_hook("group_offloading") is not None for registry in _registries(model)):
        where = "offloaded in groups"
    elif not sharded and any(isinstance(weight, DTensor) for weight in model.parameters()):
        where = "sharded over processes"
    else:
        return
    raise ValueError(f"the transformer's weights are {where}: {action} before that")


def refuse_if_parallel(model: Any) -> None:
    """Refuse a source on a model that diffusers' ``enable_parallelism`` has split.

    Raises:
        ValueError: it is context or tensor parallel.
    """
    if getattr(model, "_parallel_config", None) is not None:
        raise ValueError(
            "the transformer is context or tensor parallel, which cannot see a source: use it without a picture, "
            "or without enable_parallelism"
        )


@contextmanager
def without_step_caches(model: nn.Module) -> Generator[None, None, None]:
    """Within the block, diffusers' step caches neither record nor change calls of ``model``."""
    references = [
        hook.fn_ref
        for registry in _registries(model)
        for hook in registry.hooks.values()
        if type(hook).__module__.endswith(_STEP_CACHES)
    ]
    before = [(each.pre_forward, each.forward, each.post_forward) for each in references]
    for each in references:
        each.pre_forward, each.post_forward = _same_arguments, _same_output
        each.forward = each.original_forward or each.forward
    try:
        yield
    finally:
        for each, functions in zip(references, before, strict=True):
            each.pre_forward, each.forward, each.post_forward = functions


def _registries(model: nn.Module) -> Iterator[Any]:
    for module in model.modules():
        if hasattr(module, "_diffusers_hook"):
            yield module._diffusers_hook


def _has_meta(module: nn.Module) -> bool:
    return any(weight.is_meta for weight in module.parameters(recurse=False))


def _same_arguments(module: nn.Module, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


def _same_output(module: nn.Module, output: Any) -> Any:
    return output
