"""What a source may change and what it may not: FLUX stays FLUX, and a cache is as good as its source."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel

from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.source import SourceCache
from tests.model.tiny import FORM, SHAPE, inputs, tiny


@pytest.fixture(params=[False, True], ids=["no guidance", "guidance"])
def stock(request: pytest.FixtureRequest) -> FluxTransformer2DModel:
    torch.manual_seed(3)
    return FluxTransformer2DModel(**SHAPE, guidance_embeds=request.param).eval()


def test_without_a_source_it_is_flux_to_the_bit(stock: FluxTransformer2DModel, tmp_path: Path):
    """Loaded from a folder that diffusers wrote, fresh or with trained experts."""
    stock.save_pretrained(tmp_path)
    model = CoLoGenTransformer2DModel.from_pretrained(tmp_path, **FORM).eval()
    given = inputs(dtype=torch.float32, guidance=stock.config["guidance_embeds"])
    expected = stock(**given.stock()).sample
    assert torch.equal(model(**given.stock()).sample, expected)
    model.add_expert(1)
    torch.nn.init.normal_(model.transformer_blocks[0].attn.prw.experts[0].up)
    assert torch.equal(model(**given.stock()).sample, expected)
    assert not torch.equal(model(**given.stock(), source=given.sources).sample, expected)


def test_saved_whole_it_comes_back_whole(tmp_path: Path):
    model, given = tiny(2, dtype=torch.float32, routing="token"), inputs(dtype=torch.float32)
    model.save_pretrained(tmp_path)
    again = CoLoGenTransformer2DModel.from_pretrained(tmp_path).eval()
    assert torch.equal(
        again(**given.stock(), source=given.sources).sample, model(**given.stock(), source=given.sources).sample
    )


@pytest.mark.parametrize("routing", ["sample", "token"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_first_expert_changes_nothing(routing: str, dtype: torch.dtype):
    model, given = tiny(routing=routing, dtype=dtype), inputs(dtype=dtype)
    before = model(**given.stock(), source=given.sources).sample
    model.add_expert(7)
    assert torch.equal(model(**given.stock(), source=given.sources).sample, before)


def test_a_newcomer_changes_little_and_is_not_chosen():
    """Its logit begins at −8: less than one part in a hundred of what the experts before it did."""
    model, given = tiny(2), inputs()
    plain = model(**given.stock()).sample
    before = model(**given.stock(), source=given.sources)
    assert model.add_expert(7) == 2
    assert model.newcomer_bias == -8.0
    after = model(**given.stock(), source=given.sources)
    assert torch.equal(after.routing.choice, before.routing.choice)
    assert (after.sample - before.sample).norm() < 0.01 * (before.sample - plain).norm()
    even = CoLoGenTransformer2DModel(**SHAPE, **FORM)
    even.add_expert(7)
    even.add_expert(7)
    share = even.eval()(**inputs(dtype=torch.float32).stock(), source=inputs(dtype=torch.float32).sources).routing
    torch.testing.assert_close(share.probability[..., -1], torch.full((3, 4), 1 / (1 + math.exp(8))))


def test_experts_are_drawn_from_seed_and_number_alone():
    first, second, other = tiny(2), tiny(1), tiny(2, seed=1)
    second.add_expert(0, dtype=torch.float64)
    for one, two, three in zip(first._attentions(), second._attentions(), other._attentions(), strict=True):
        assert torch.equal(one.prw.experts[1].down, two.prw.experts[1].down)
        assert not torch.equal(one.prw.experts[1].down, one.prw.experts[0].down)
        assert not torch.equal(one.prw.experts[1].down, three.prw.experts[1].down)


@pytest.mark.parametrize("routing", ["sample", "token"])
def test_a_cached_denoising_loop_is_one_that_encodes_at_every_step(routing: str):
    model = tiny(2, routing=routing, dtype=torch.float32)
    given = inputs(dtype=torch.float32, sides=((3, 2), (2, 2)))
    times = torch.linspace(1, 0, 6)

    def denoised(source: Any) -> torch.Tensor:
        noisy = given.noisy
        for now, then in pairwise(times):
            arguments = {**given.stock(), "hidden_states": noisy, "timestep": now.expand(3)}
            noisy = noisy + (then - now) * model(**arguments, source=source).sample
        return noisy

    with torch.no_grad():
        cache = model.encode_source(given.sources, pooled_projections=given.pooled)
        assert torch.equal(denoised(cache), denoised(given.sources))


@pytest.mark.parametrize("source_timestep", ["zero", "shared"])
def test_what_a_source_leaves_knows_nothing_of_the_latent_and_the_text(
    source_timestep: str, monkeypatch: pytest.MonkeyPatch
):
    model, given = tiny(2, source_timestep=source_timestep), inputs(gradients=True)
    caches: list[SourceCache] = []
    encode = model._encoded
    monkeypatch.setattr(model, "_encoded", lambda *args, **kwargs: caches.append(encode(*args, **kwargs)) or caches[-1])
    model(**given.stock(), source=given.sources)
    (cache,) = caches
    left = sum(each.square().sum() for each in (*cache.keys, *cache.values))
    asked = [given.noisy, given.text, given.sources[0].tokens]
    of_noisy, of_text, of_source = torch.autograd.grad(left, asked, allow_unused=True)
    assert of_noisy is None
    assert of_text is None
    assert of_source.abs().max() > 0


def test_samples_of_a_batch_know_nothing_of_each_other():
    model, given = tiny(3), inputs()
    together = model(**given.stock(), source=given.sources).sample
    for place in range(3):
        alone = given.share(place, place + 1)
        assert (model(**alone.stock(), source=alone.sources).sample - together[place]).abs().max() < 1e-13


def test_a_repeated_cache_serves_every_branch():
    model, given = tiny(2), inputs()
    cache = model.encode_source(given.sources, pooled_projections=given.pooled)
    twice = {name: torch.cat([value, value]) for name, value in given.stock().items() if name in BATCHED}
    both = model(**{**given.stock(), **twice}, source=cache.repeated(2)).sample
    alone = model(**given.stock(), source=cache).sample
    assert (both - torch.cat([alone, alone])).abs().max() < 1e-13


BATCHED = ("hidden_states", "encoder_hidden_states", "pooled_projections", "timestep")


def test_a_cache_of_another_call_is_refused():
    model, given = tiny(1), inputs()
    cache = model.encode_source(given.sources, pooled_projections=given.pooled)
    one = given.share(0, 1)
    with pytest.raises(ValueError, match=r"batch of 3, the latent has 1: repeat the cache"):
        model(**one.stock(), source=cache)
    with pytest.raises(ValueError, match="model of 4 blocks, not 3"):
        tiny(1, num_layers=1)(**given.stock(), source=cache)


def test_a_shared_time_has_to_be_given():
    model, given = tiny(1, source_timestep="shared"), inputs()
    with pytest.raises(ValueError, match="give the timestep"):
        model.encode_source(given.sources, pooled_projections=given.pooled)


@pytest.mark.parametrize("way", ["constructor", "configuration", "folder", "folder without low_cpu_mem_usage"])
def test_experts_that_no_file_holds_begin_as_seed_0_draws_them(way: str, tmp_path: Path):
    """Never what happens to be in memory."""
    added = CoLoGenTransformer2DModel(**SHAPE, **FORM)
    for _ in range(2):
        added.add_expert(0)
    FluxTransformer2DModel(**SHAPE).save_pretrained(tmp_path)
    if way == "constructor":
        made = CoLoGenTransformer2DModel(**SHAPE, **FORM, num_experts=2)
    elif way == "configuration":
        made = CoLoGenTransformer2DModel.from_config(added.config)
    else:
        options = {} if way == "folder" else {"low_cpu_mem_usage": False}
        made = CoLoGenTransformer2DModel.from_pretrained(tmp_path, **FORM, num_experts=2, **options)
    expected = {name: weight for name, weight in added.state_dict().items() if ".prw." in name}
    found = {name: weight for name, weight in made.state_dict().items() if ".prw." in name}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_the_configuration_comes_back_whole(tmp_path: Path):
    model = tiny(2, dtype=torch.float32, routing="token", source_timestep="shared")
    model.newcomer_bias = -3.0
    model.save_pretrained(tmp_path)
    again = CoLoGenTransformer2DModel.from_pretrained(tmp_path)
    ignored = ("_name_or_path", "_use_default_values")
    found, expected = (
        {name: value for name, value in dict(each.config).items() if name not in ignored} for each in (again, model)
    )
    assert {**found, "axes_dims_rope": tuple(found["axes_dims_rope"])} == expected
    assert again.newcomer_bias == CoLoGenTransformer2DModel.from_config(model.config).newcomer_bias == -3.0


def test_a_model_without_anything_to_denoise_or_to_encode_says_so():
    model, given = tiny(1), inputs()
    with pytest.raises(ValueError, match="hidden_states is None"):
        model(**{**given.stock(), "hidden_states": None})
