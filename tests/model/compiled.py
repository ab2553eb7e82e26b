"""Compile the model and compare it with the plain one: a program, with ``reading``, ``training`` or ``adapters``.

A program of its own, since the tests' type checks at run time are nothing a compiler could see through. ``reading``
compiles the read pass without a break in its graph, whole and block by block; the graph is what is tried, not the code
made of it, which would take a minute. ``training`` also divides the graph as a compiler does, which decides the tensors
that are saved for the backward pass and those that are computed anew.
``adapters`` loads one into a pipeline that is already compiled.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from cologen.model.flux1 import CoLoGenTransformer2DModel
from tests.model.tiny import inputs, tiny

SMALL = {"num_layers": 1, "num_single_layers": 1, "dtype": torch.float32}


def deviation(way: str, model: CoLoGenTransformer2DModel) -> float:
    """The largest difference between the compiled and the plain pass, with a cache and another one after it."""
    given, other = inputs(dtype=torch.float32), inputs(dtype=torch.float32, seed=1)
    caches = [model.encode_source(each.sources, pooled_projections=each.pooled) for each in (given, other)]
    expected = [model(**given.stock(), source=cache).sample for cache in caches]
    if way == "blocks":
        model.compile_repeated_blocks(fullgraph=True, backend="aot_eager")
        compiled = model
    else:
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    found = [compiled(**given.stock(), source=cache).sample for cache in caches]
    return max(float((one - two).abs().max()) for one, two in zip(found, expected, strict=True))


def gradients(compiled: bool) -> dict[str, torch.Tensor]:
    """Of the newest expert, through blocks that are run once more for it."""
    model = tiny(2, **SMALL).train()
    weights = model.freeze_for(1)
    model.enable_gradient_checkpointing()
    if compiled:
        model.compile_repeated_blocks(backend="aot_eager_decomp_partition")
    given = inputs(dtype=torch.float32)
    noise = torch.zeros(len(given.pooled) * len(given.sources), model.num_blocks, 2)
    output = model(**given.stock(), source=given.sources, routing_noise=noise)
    assert output.routing is not None
    (output.sample.square().mean() + output.routing.probability[..., 1].mean()).backward()
    return {name: weight.grad for name, weight in weights.items() if weight.grad is not None}


def reading() -> dict[str, float]:
    """How far the compiled read pass is off, by way."""
    with torch.no_grad():
        return {way: deviation(way, tiny(2, **SMALL)) for way in ("whole", "blocks")}


def training() -> dict[str, float]:
    """How far compiled gradients are off, by weight."""
    expected, found = gradients(False), gradients(True)
    return {name: float((found[name] - each).abs().max()) for name, each in expected.items()}


def adapters() -> dict[str, float]:
    """How far a compiled pipeline is off that has been given an adapter, by way."""
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler

    from cologen.model.adapters import save_adapter
    from cologen.model.pipeline import CoLoGenPipeline
    from tests.model.tiny_flux import TRANSFORMER, autoencoder

    def drawn(way: str, folder: Path) -> torch.Tensor:
        model = tiny(0, dtype=torch.float32, **TRANSFORMER)
        vae: AutoencoderKL = autoencoder()
        if way == "in place":
            model.compile(backend="eager")
        scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
        pipe: Any = CoLoGenPipeline(scheduler, vae, None, None, None, None, model)
        if way == "whole":
            pipe.transformer = torch.compile(model, backend="eager")
        pipe.load_adapter(folder)
        pipe.set_progress_bar_config(disable=True)
        generator = torch.Generator().manual_seed(0)
        embeds = {"prompt_embeds": torch.ones(1, 5, 24), "pooled_prompt_embeds": torch.ones(1, 16)}
        image = torch.rand(3, 32, 32, generator=generator)
        return pipe(
            **embeds, image=image, task="editing", generator=generator, num_inference_steps=1, output_type="latent"
        ).images

    with TemporaryDirectory() as name:
        folder = Path(name)
        save_adapter(tiny(2, dtype=torch.float32, **TRANSFORMER), folder)
        plain = drawn("plain", folder)
        return {way: float((drawn(way, folder) - plain).abs().max()) for way in ("whole", "in place")}


def main() -> int:
    """Exit with 0 if compiled and plain agree."""
    found = {"reading": reading, "training": training, "adapters": adapters}[sys.argv[1]]()
    sys.stdout.write(f"{found}\n")
    return int(max(found.values()) > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
