"""FLUX.2 as a base: without a source it is FLUX.2 to the bit, with one it is FLUX.2's own key-value mode."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import Flux2Transformer2DModel
from diffusers.models.transformers.transformer_flux2 import (
    Flux2KVAttnProcessor,
    Flux2KVParallelSelfAttnProcessor,
)
from torch import Tensor

from cologen.model.flux2 import CoLoGenFlux2Transformer2DModel
from tests.model.tiny import FORM, SHAPE2, Inputs, inputs2, tiny2


@pytest.fixture(params=[False, True], ids=["no guidance", "guidance"])
def stock(request: pytest.FixtureRequest) -> Flux2Transformer2DModel:
    torch.manual_seed(3)
    return Flux2Transformer2DModel(**{**SHAPE2, "guidance_embeds": request.param}).eval()


def test_without_a_source_it_is_flux2_to_the_bit(stock: Flux2Transformer2DModel, tmp_path: Path) -> None:
    """Loaded from a folder that diffusers wrote, fresh or with trained experts; and made of the stock model itself."""
    given = inputs2(dtype=torch.float32, guidance=stock.config["guidance_embeds"])
    expected = stock(**given.stock()).sample
    stock.save_pretrained(tmp_path)
    model = CoLoGenFlux2Transformer2DModel.from_pretrained(tmp_path, **FORM).eval()
    assert torch.equal(model(**given.stock()).sample, expected)
    model.add_expert(1)
    torch.nn.init.normal_(model.transformer_blocks[0].attn.prw.experts[0].up)
    assert torch.equal(model(**given.stock()).sample, expected)
    assert not torch.equal(model(**given.stock(), source=given.sources).sample, expected)
    woven = CoLoGenFlux2Transformer2DModel.of(stock)
    assert torch.equal(woven(**given.stock()).sample, expected)
    assert torch.equal(stock(**given.stock()).sample, expected)


def extracted(stock: Flux2Transformer2DModel, given: Inputs) -> Tensor:
    """What FLUX.2's own key-value mode makes: references at time 0, which attend to themselves alone."""
    for block in stock.transformer_blocks:
        block.attn.set_processor(Flux2KVAttnProcessor())
    for block in stock.single_transformer_blocks:
        block.attn.set_processor(Flux2KVParallelSelfAttnProcessor())
    (source,) = given.sources
    with_source = {
        **given.stock(),
        "hidden_states": torch.cat([source.tokens, given.noisy], dim=1),
        "img_ids": torch.cat([source.ids, given.img_ids]),
    }
    num_tokens = source.tokens.shape[1]
    found = stock(**with_source, kv_cache_mode="extract", num_ref_tokens=num_tokens, return_dict=False)
    return found[0][:, -given.noisy.shape[1] :]


@pytest.mark.parametrize("side", [(3, 2), (2, 5), (5, 2), (1, 1)])
@pytest.mark.parametrize("experts", [0, 1])
def test_it_is_flux2s_own_key_value_mode(side: tuple[int, int], experts: int) -> None:
    """Written and read, with and without a fresh expert; sources are wide, tall, and of one token."""
    torch.manual_seed(3)
    stock = Flux2Transformer2DModel(**SHAPE2).eval().double()
    model, given = CoLoGenFlux2Transformer2DModel.of(stock), inputs2(sides=(side,))
    for _ in range(experts):
        model.add_expert(1, dtype=torch.float64)
    cache = model.encode_source(given.sources)
    found = model(**given.stock(), source=cache).sample
    plain = Flux2Transformer2DModel(**SHAPE2).eval().double()
    plain.load_state_dict({name: each for name, each in stock.state_dict().items() if ".prw." not in name})
    assert (found - extracted(plain, given)).abs().max() <= 1e-12
    assert (found - model(**given.stock()).sample).abs().max() > 1e-3


def test_a_wide_source_is_another_than_a_tall_one() -> None:
    """Rows are not columns."""
    model = tiny2(1)
    wide, tall = (inputs2(sides=(side,)) for side in ((2, 3), (3, 2)))
    assert torch.equal(wide.sources[0].tokens, tall.sources[0].tokens)
    found = [model(**each.stock(), source=each.sources).sample for each in (wide, tall)]
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_saved_whole_it_comes_back_whole(tmp_path: Path) -> None:
    model, given = tiny2(2, dtype=torch.float32, routing="token"), inputs2(dtype=torch.float32)
    model.save_pretrained(tmp_path)
    again = CoLoGenFlux2Transformer2DModel.from_pretrained(tmp_path).eval()
    assert torch.equal(
        again(**given.stock(), source=given.sources).sample, model(**given.stock(), source=given.sources).sample
    )
