"""L_task of eq. 10: nothing is lost where the velocity is known, and the model is asked what the pipeline asks it."""

import dataclasses
from typing import Any

import pytest
import torch

from cologen.model import flow
from cologen.model.bundle import Bundle, build
from cologen.model.presets import preset
from cologen.model.tokens import pack
from cologen.model.transformer import CoLoGenOutput
from cologen.trainer.data.batch import Batch
from cologen.trainer.data.draws import Randomness, draw
from cologen.trainer.loop.encoding import encode
from cologen.trainer.loop.loss import Losses, losses
from tests.trainer.made_up import ALONE, batch


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return build(preset("world-tiny"))


def drawn(of: Batch) -> Randomness:
    return draw(0, "inpaint", of.places, latent=(48, 4, 4), routing=(6, 2), device=ALONE.device)


class Model(torch.nn.Module):
    """Answers with the velocity times ``factor``, and remembers what it was asked."""

    def __init__(self, bundle: Bundle, of: Batch, factor: float) -> None:
        super().__init__()
        target = pack(encode(bundle, of).target, bundle.preset.patch)
        noise = pack(drawn(of).noise, bundle.preset.patch)
        self.velocity = factor * flow.velocity(target, noise)
        self.asked: dict[str, Any] = {}

    def forward(self, **asked: Any) -> CoLoGenOutput:
        self.asked = asked
        return CoLoGenOutput(sample=self.velocity)


def lost(bundle: Bundle, of: Batch, model: Any) -> Losses:
    words = bundle.text.encode(of.prompts)
    return losses(model, bundle, of, encode(bundle, of), words, drawn(of))


def test_who_knows_the_velocity_loses_nothing(bundle: Bundle):
    of = batch(size=3)
    model = Model(bundle, of, 1.0)
    found = lost(bundle, of, model)
    assert found.per_sample.shape == (3,)
    assert found.task == found.per_sample.max() == 0
    time = flow.logit_normal(drawn(of).time)
    if (exponent := bundle.preset.shift_exponent(model.velocity.shape[1])) is not None:
        time = flow.shift(time, exponent)
    assert model.asked["timestep"].equal(time)
    assert model.asked["source"][0].tokens.shape == model.asked["hidden_states"].shape


def test_who_says_nothing_loses_the_velocity_s_square(bundle: Bundle):
    of = batch(size=3)
    expected = Model(bundle, of, 1.0).velocity.square().mean(dim=(1, 2))
    found = lost(bundle, of, Model(bundle, of, 0.0))
    torch.testing.assert_close(found.per_sample, expected)
    torch.testing.assert_close(found.task, expected.mean())


def test_the_model_is_told_what_the_pipeline_tells_it():
    """Guidance 1 where a base is distilled, and a source that is the first of those there may be."""
    distilled, of = build(preset("world-tiny")), batch(size=3)
    distilled.transformer.register_to_config(guidance_embeds=True)
    model = Model(distilled, of, 1.0)
    lost(distilled, of, model)
    assert model.asked["guidance"].tolist() == [1.0, 1.0, 1.0]
    side = 16 // distilled.codec.downscale // distilled.preset.patch
    places = [[1, row, column] for row in range(side) for column in range(side)]
    assert model.asked["source"][0].ids.tolist() == places
    assert model.asked["img_ids"].tolist() == [[0, row, column] for _, row, column in places]


def test_a_base_that_is_not_distilled_is_told_no_guidance(bundle: Bundle):
    of = batch(size=3)
    model = Model(bundle, of, 1.0)
    lost(bundle, of, model)
    assert model.asked["guidance"] is None


def test_a_sample_s_loss_is_its_own(bundle: Bundle):
    whole = batch(size=4)
    part = Batch(**{field.name: getattr(whole, field.name)[:2] for field in dataclasses.fields(Batch)})
    with torch.no_grad():
        together, alone = (lost(bundle, each, bundle.transformer).per_sample for each in (whole, part))
    torch.testing.assert_close(alone, together[:2], rtol=0, atol=1e-5)


def test_of_a_pair_both_pictures_are_drawn_at_once_without_a_source(bundle: Bundle):
    of = batch(size=3)
    latents = encode(bundle, of).as_pair()
    assert latents.second is not None and latents.source is None
    draws = draw(0, "text-to-image", of.places, latent=latents.drawn, routing=(0, 0), device=ALONE.device)
    assert draws.noise.shape[1] == 2 * latents.target.shape[1]
    model = Model(bundle, of, 1.0)
    both = torch.cat([pack(each, bundle.preset.patch) for each in (latents.target, latents.second)], dim=1)
    noise = torch.cat([pack(each, bundle.preset.patch) for each in draws.noise.chunk(2, dim=1)], dim=1)
    model.velocity = flow.velocity(both, noise)
    found = losses(model, bundle, of, latents, bundle.text.encode(of.prompts), draws)
    assert found.task == 0 and model.asked["source"] is None
    ids, tokens = model.asked["img_ids"], both.shape[1] // 2
    assert ids[:, 0].tolist() == [0.0] * tokens + [1.0] * tokens
    assert ids[:tokens, 1:].equal(ids[tokens:, 1:]), "the second picture lies over the first"


def test_a_second_picture_that_is_given_has_no_noise_and_no_loss(bundle: Bundle):
    of = batch(size=3)
    given = torch.tensor([True, False, True])
    draws = draw(0, "text-to-image", of.places, latent=(96, 4, 4), routing=(0, 0), device=ALONE.device)
    pair = encode(bundle, of).as_pair()
    assert pair.second is not None
    whole, model = Model(bundle, of, 0.0), Model(bundle, of, 0.0)
    noise = torch.cat([pack(each, bundle.preset.patch) for each in draws.noise.chunk(2, dim=1)], dim=1)
    whole.velocity = model.velocity = torch.zeros_like(noise)
    words = bundle.text.encode(of.prompts)
    both = losses(whole, bundle, of, pair, words, draws)
    found = losses(model, bundle, of, encode(bundle, of).as_pair(given), words, draws)
    usual, shown = whole.asked["hidden_states"], model.asked["hidden_states"]
    tokens = usual.shape[1] // 2
    assert shown[:, :tokens].equal(usual[:, :tokens]) and shown[1].equal(usual[1])
    assert shown[given, tokens:].equal(pack(pair.second, bundle.preset.patch)[given])
    target = pack(pair.target, bundle.preset.patch)
    expected = flow.velocity(target, noise[:, :tokens]).square().mean(dim=(1, 2))
    torch.testing.assert_close(found.per_sample[given], expected[given])
    torch.testing.assert_close(found.per_sample[1], both.per_sample[1])
