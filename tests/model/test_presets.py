"""Presets say the shapes of FLUX and of two small models that fit what they are for."""

from dataclasses import FrozenInstanceError

import pytest

from cologen.model.costs import Parameters, Shape, parameters
from cologen.model.presets import PRESETS, Preset, preset


def counted(name: str) -> Parameters:
    return parameters(Shape.of({**preset(name).transformer, "num_experts": 5}))


@pytest.mark.parametrize("each", PRESETS.values(), ids=lambda each: each.name)
def test_the_axes_of_the_rotary_embedding_fill_a_head_in_pairs(each: Preset):
    axes = each.transformer["axes_dims_rope"]
    assert sum(axes) == each.transformer["attention_head_dim"]
    assert all(axis % 2 == 0 for axis in axes)


@pytest.mark.parametrize("each", PRESETS.values(), ids=lambda each: each.name)
def test_guidance_is_given_exactly_to_bases_that_were_distilled_with_it(each: Preset):
    assert (each.guidance is not None) == each.transformer["guidance_embeds"]


def test_flux_has_the_published_number_of_parameters():
    dev, fill, schnell = (counted(name) for name in ("flux-dev", "flux-fill", "flux-schnell"))
    assert dev.base == 11_901_408_320
    assert fill.base - dev.base == (384 - 64) * 3072  # only the first layer differs
    assert dev.base - schnell.base == 256 * 3072 + 3072 + 3072 * 3072 + 3072  # guidance's two layers
    assert dev.per_expert == 57 * 2 * 2 * 128 * 3072  # 57 blocks, keys and values, down and up: 90 M
    assert dev.router == 5 * 57 * 2 * 3072 < 2_000_000


def test_small_presets_fit_their_machines():
    assert counted("world-tiny").base * 2 < 16 * 2**20  # bytes in bf16
    assert 25e6 < counted("world-small").base < 35e6


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match="'tiny': expected one of world-tiny, world-small, flux-dev"):
        preset("tiny")


def test_a_preset_cannot_be_changed():
    tiny = preset("world-tiny")
    with pytest.raises(FrozenInstanceError):
        tiny.patch = 2  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        tiny.transformer["rank"] = 1  # pyright: ignore[reportIndexIssue]
