"""What is counted on paper is what real modules hold and compute."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cologen.model.costs import (
    Shape,
    Tokens,
    cached_step,
    concatenated_step,
    parameters,
    plain_step,
    source_pass,
    training_step,
)
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.flux2 import CoLoGenFlux2Transformer2DModel
from cologen.model.presets import preset
from cologen.model.qwen_image import CoLoGenQwenImageTransformer2DModel
from cologen.model.source import SourceTokens
from cologen.model.transformer import WovenTransformer

TINY: dict[str, Any] = {
    "in_channels": 5,
    "out_channels": 3,
    "num_layers": 2,
    "num_single_layers": 3,
    "attention_head_dim": 12,
    "num_attention_heads": 2,
    "joint_attention_dim": 7,
    "pooled_projection_dim": 9,
    "guidance_embeds": True,
    "axes_dims_rope": (4, 4, 4),
    "rank": 3,
    "num_experts": 2,
}
TINY2: dict[str, Any] = {name: value for name, value in TINY.items() if name != "pooled_projection_dim"} | {
    "base": "flux.2",
    "axes_dims_rope": (2, 2, 4, 4),
    "mlp_ratio": 3.0,
}
TINY3: dict[str, Any] = {
    "base": "qwen-image",
    "in_channels": 5,
    "out_channels": 3,
    "patch_size": 2,
    "num_layers": 3,
    "attention_head_dim": 12,
    "num_attention_heads": 2,
    "joint_attention_dim": 7,
    "axes_dims_rope": (4, 4, 4),
    "zero_cond_t": True,
    "rank": 3,
    "num_experts": 2,
}
KLEIN_4B: dict[str, Any] = {
    "base": "flux.2",
    "in_channels": 128,
    "num_layers": 5,
    "num_single_layers": 20,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "mlp_ratio": 3.0,
    "num_experts": 5,
}
FLUX = Shape(guidance_embeds=True, num_experts=5)
AT_512, AT_1024 = (Tokens(image=count, text=512, sources=(count,)) for count in (1024, 4096))
FEW = Tokens(image=6, text=4, sources=(8, 5))


def made(arguments: dict[str, Any]) -> WovenTransformer:
    """The model of a shape."""
    own = {name: value for name, value in arguments.items() if name != "base"}
    kinds = {
        "flux.1": CoLoGenTransformer2DModel,
        "flux.2": CoLoGenFlux2Transformer2DModel,
        "qwen-image": CoLoGenQwenImageTransformer2DModel,
    }
    return kinds[arguments.get("base", "flux.1")](**own)


def shape_of(model: WovenTransformer) -> Shape:
    return Shape.of({**model.config, "base": model.base_kind})


def inputs_of(tokens: Tokens, base: str) -> dict[str, Any]:
    axes = 4 if base == "flux.2" else 3
    return {
        "hidden_states": torch.zeros(1, tokens.image, 5),
        "encoder_hidden_states": torch.zeros(1, tokens.text, 7),
        "pooled_projections": torch.zeros(1, 9),
        "timestep": torch.ones(1),
        "img_ids": torch.zeros(tokens.image, axes),
        "txt_ids": torch.zeros(tokens.text, axes),
        "guidance": None if base == "qwen-image" else torch.ones(1),
    }


def sources_of(tokens: Tokens, base: str) -> list[SourceTokens]:
    axes = 4 if base == "flux.2" else 3
    return [SourceTokens(torch.zeros(1, count, 5), torch.zeros(count, axes)) for count in tokens.sources]


def counter() -> FlopCounterMode:
    return FlopCounterMode(display=False)


def numbers_in(model: torch.nn.Module, part: str) -> int:
    return sum(weight.numel() for name, weight in model.named_parameters() if part in name)


@pytest.mark.parametrize(
    "arguments",
    [
        TINY,
        {**TINY, "guidance_embeds": False, "out_channels": None, "num_experts": 1},
        {"guidance_embeds": True, "num_experts": 5},
        {"in_channels": 384, "out_channels": 64, "guidance_embeds": True, "num_experts": 5},
        TINY2,
        {**TINY2, "guidance_embeds": False, "out_channels": None, "mlp_ratio": 2.0},
        {**KLEIN_4B, "guidance_embeds": False},
        TINY3,
        {**TINY3, "zero_cond_t": False, "out_channels": None},
        {**preset("qwen-image-edit").transformer, "base": "qwen-image", "num_experts": 5},
    ],
    ids=[
        "tiny",
        "tiny without guidance",
        "dev",
        "Fill",
        "tiny FLUX.2",
        "FLUX.2 without guidance",
        "klein 4B",
        "tiny Qwen-Image",
        "Qwen-Image",
        "Edit-2511",
    ],
)
def test_parameters_are_those_of_the_module(arguments: dict[str, Any]):
    with torch.device("meta"):
        model = made(arguments)
    counted = parameters(shape_of(model))
    assert counted == parameters(Shape.of(arguments))
    assert counted.per_expert == numbers_in(model, ".prw.experts.0.")
    assert counted.router == numbers_in(model, ".prw.router.")
    everything = counted.base + counted.router + counted.per_expert * arguments["num_experts"]
    assert everything == numbers_in(model, "")


def test_flux_has_twelve_billion_and_the_experts_ninety_million_each():
    counted = parameters(FLUX)
    assert counted.base == 11_901_408_320
    assert counted.per_expert == 89_653_248
    assert counted.router == 1_751_040


def test_qwen_image_has_twenty_billion_and_the_experts_ninety_four_million_each():
    shape = {**preset("qwen-image-edit").transformer, "base": "qwen-image", "num_experts": 5}
    counted = parameters(Shape.of(shape))
    assert counted.base == 20_430_401_088
    assert counted.per_expert == 94_371_840


@pytest.mark.parametrize(
    ("tokens", "cached", "concatenated"), [(AT_512, 1.05, 1.76), (AT_1024, 1.18, 2.23)], ids=["512²", "1024²"]
)
def test_the_floors_at_the_shape_of_flux(tokens: Tokens, cached: float, concatenated: float):
    plain = plain_step(FLUX, tokens).total
    assert cached_step(FLUX, tokens).total / plain == pytest.approx(cached, abs=0.005)
    assert concatenated_step(FLUX, tokens).total / plain == pytest.approx(concatenated, abs=0.005)


@pytest.mark.parametrize("arguments", [TINY, TINY2, TINY3], ids=["FLUX.1", "FLUX.2", "Qwen-Image"])
@pytest.mark.parametrize("routing", ["sample", "token"])
def test_steps_compute_what_is_counted(arguments: dict[str, Any], routing: str):
    model = made({**arguments, "routing": routing}).eval()
    shape = shape_of(model)
    given, sources = inputs_of(FEW, shape.base), sources_of(FEW, shape.base)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        with counter() as plain:
            model(**given)
        with counter() as encoding:
            cache = model.encode_source(sources, pooled_projections=torch.zeros(1, 9))
        with counter() as cached:
            model(**given, source=cache)
    assert plain.get_total_flops() == plain_step(shape, FEW).total
    assert encoding.get_total_flops() == source_pass(shape, FEW).total
    assert cached.get_total_flops() == cached_step(shape, FEW).total


@pytest.mark.parametrize("arguments", [TINY, TINY2, TINY3], ids=["FLUX.1", "FLUX.2", "Qwen-Image"])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("routing", ["sample", "token"])
def test_a_training_step_computes_what_is_counted(arguments: dict[str, Any], routing: str, checkpointing: bool):
    model = made({**arguments, "routing": routing}).train()
    shape = shape_of(model)
    model.freeze_for(1)
    if checkpointing:
        model.enable_gradient_checkpointing()
    with sdpa_kernel(SDPBackend.MATH), counter() as measured:
        given, sources = inputs_of(FEW, shape.base), sources_of(FEW, shape.base)
        model(**given, source=sources).sample.sum().backward()
    joint, of_sources = FEW.image + FEW.text, FEW.sources
    # Step by step, attention can leave out the gradient of the first block's queries, which is not needed.
    left_out = joint * (joint + sum(of_sources)) + sum(count * count for count in of_sources)
    counted = training_step(shape, FEW, checkpointing=checkpointing).total
    assert measured.get_total_flops() == counted - 2 * 24 * left_out


def test_concatenation_is_a_longer_image_with_experts():
    shape = replace(Shape.of(TINY), num_experts=0)
    longer = plain_step(shape, Tokens(image=FEW.image + 13, text=FEW.text))
    head = 2 * 13 * shape.dim * 3  # the sources' velocities are not asked for
    assert concatenated_step(shape, FEW).total == longer.total - head
