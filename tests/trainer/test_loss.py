"""Eq. 10: nothing is lost where the velocity is known, and the veteran term is what U_t is off by."""

import dataclasses
from typing import Any

import pytest
import torch

from cologen.model import flow
from cologen.model.bundle import Bundle, build
from cologen.model.presets import preset
from cologen.model.tokens import pack
from cologen.model.transformer import CoLoGenOutput
from cologen.trainer.batch import Batch
from cologen.trainer.draws import Draws, draw
from cologen.trainer.loss import Losses, encode, losses
from tests.trainer.made_up import ALONE, batch, routing


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return build(preset("world-tiny"))


def drawn(of: Batch) -> Draws:
    return draw(0, "inpaint", of.places, latent=(48, 4, 4), routing=(6, 2), device=ALONE.device)


class Model(torch.nn.Module):
    """Answers with the velocity times ``factor``, and remembers what it was asked."""

    def __init__(self, bundle: Bundle, of: Batch, factor: float, chosen: list[list[int]] | None = None) -> None:
        super().__init__()
        target = pack(encode(bundle, of).target, bundle.preset.patch)
        noise = pack(drawn(of).noise, bundle.preset.patch)
        self.velocity, self._chosen = factor * flow.velocity(target, noise), chosen
        self.asked: dict[str, Any] = {}

    def forward(self, **asked: Any) -> CoLoGenOutput:
        self.asked = asked
        return CoLoGenOutput(sample=self.velocity, routing=routing(self._chosen) if self._chosen else None)


def lost(bundle: Bundle, of: Batch, model: Any, rho: float = 0.8, alpha: float = 0.5) -> Losses:
    words = bundle.text.encode(of.prompts)
    return losses(model, bundle, of, encode(bundle, of), words, drawn(of), rho=rho, alpha=alpha)


def test_who_knows_the_velocity_loses_nothing(bundle: Bundle):
    of = batch(size=3)
    model = Model(bundle, of, 1.0)
    found = lost(bundle, of, model)
    assert found.per_sample.shape == (3,)
    assert found.total == found.per_sample.max() == found.veteran == 0
    time = flow.logit_normal(drawn(of).time)
    if bundle.preset.shifted:
        time = flow.shift(time, model.velocity.shape[1])
    assert model.asked["timestep"].equal(time)
    assert model.asked["source"].tokens.shape == model.asked["hidden_states"].shape


def test_who_says_nothing_loses_the_velocity_s_square(bundle: Bundle):
    of = batch(size=3)
    expected = Model(bundle, of, 1.0).velocity.square().mean(dim=(1, 2))
    found = lost(bundle, of, Model(bundle, of, 0.0))
    torch.testing.assert_close(found.per_sample, expected)
    torch.testing.assert_close(found.total, expected.mean())


@pytest.mark.parametrize(("chosen", "usage"), [([[1, 1]] * 3, 1.0), ([[0, 0], [1, 0], [0, 0]], 1 / 6)])
def test_the_veteran_term_is_what_usage_is_off_by(bundle: Bundle, chosen: list[list[int]], usage: float):
    of = batch(size=3)
    found = lost(bundle, of, Model(bundle, of, 1.0, chosen), rho=0.8, alpha=0.5)
    assert float(found.veteran) == pytest.approx(0.5 * abs(usage - 0.8), abs=1e-6)
    assert float(found.total) == pytest.approx(float(found.veteran))
    assert lost(bundle, of, Model(bundle, of, 1.0, chosen), alpha=0.0).veteran == 0


def test_a_sample_s_loss_is_its_own(bundle: Bundle):
    whole = batch(size=4)
    part = Batch(**{field.name: getattr(whole, field.name)[:2] for field in dataclasses.fields(Batch)})
    with torch.no_grad():
        together, alone = (lost(bundle, each, bundle.transformer).per_sample for each in (whole, part))
    torch.testing.assert_close(alone, together[:2], rtol=0, atol=1e-5)
