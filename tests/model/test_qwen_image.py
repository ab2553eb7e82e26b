"""Qwen-Image as a base: without a source it is the stock model to the bit, with one its attention under a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers import transformer_qwenimage
from torch import Tensor

from cologen.model.layout import Layout
from cologen.model.qwen_image import CoLoGenQwenImageTransformer2DModel
from tests.model.double_precision import compute_in_double
from tests.model.reference import visibility
from tests.model.tiny import FORM, SHAPE3, Inputs, inputs3, tiny3

NOISY = (1, 3, 4)
LAYOUT = Layout(channels=2, patch=2, downscale=8, fill=False, base_kind="qwen-image")


def stock_model(dtype: torch.dtype = torch.float64, **arguments: Any) -> QwenImageTransformer2DModel:
    torch.manual_seed(3)
    model = QwenImageTransformer2DModel(**{**SHAPE3, **arguments}).eval()
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    return model


def by_shapes(given: Inputs, *sources: tuple[int, int, int]) -> dict[str, Any]:
    """The arguments as the stock model takes them."""
    shapes = [[NOISY, *sources]] * len(given.noisy)
    own = {name: value for name, value in given.stock().items() if name not in ("img_ids", "txt_ids")}
    return {**own, "img_shapes": shapes}


@pytest.mark.parametrize("zero_cond_t", [False, True], ids=["edit", "edit 2511"])
@pytest.mark.parametrize("lengths", [(), (5, 2, 1)], ids=["unpadded", "padded"])
def test_without_a_source_it_is_qwen_image_to_the_bit(
    lengths: tuple[int, ...], zero_cond_t: bool, tmp_path: Path
) -> None:
    """Loaded from a folder that diffusers wrote, fresh or with trained experts; and made of the stock model itself."""
    stock = stock_model(torch.float32, zero_cond_t=zero_cond_t)
    given = inputs3(lengths=lengths, dtype=torch.float32)
    expected = stock(**by_shapes(given)).sample
    stock.save_pretrained(tmp_path)
    model = CoLoGenQwenImageTransformer2DModel.from_pretrained(tmp_path, **FORM).eval()
    assert torch.equal(model(**by_shapes(given)).sample, expected)
    model.add_expert(1)
    torch.nn.init.normal_(model.transformer_blocks[0].attn.prw.experts[0].up)
    assert torch.equal(model(**by_shapes(given)).sample, expected)
    assert not torch.equal(model(**given.stock(), source=given.sources).sample, expected)
    if lengths:  # called with ids, the mask is there in any case
        assert torch.equal(model(**given.stock()).sample, expected)
        padded = {**given.stock(), "encoder_hidden_states": given.text * given.text_mask[..., None]}
        padded.pop("encoder_hidden_states_mask")
        assert torch.equal(model(**padded).sample, expected)
    woven = CoLoGenQwenImageTransformer2DModel.of(stock)
    assert torch.equal(woven(**by_shapes(given)).sample, expected)
    assert torch.equal(stock(**by_shapes(given)).sample, expected)


@pytest.mark.parametrize("grid", [(3, 4), (4, 3), (5, 2), (1, 1)])
def test_positions_are_those_of_the_stock_model(grid: tuple[int, int]) -> None:
    """To the bit: those of the picture drawn, of two sources of its size at 1 and 2, and of text."""
    model = tiny3()
    shape = (1, *grid)
    pictures, text = model.pos_embed([[shape, shape, shape]], max_txt_seq_len=5, device=torch.device("cpu"))
    ids = [LAYOUT.grid_ids(*grid, source=number, target=grid) for number in range(3)]
    assert torch.equal(model._turns(torch.cat(ids)), pictures)
    behind = ids[0][:, 1:].amax() + 1
    assert torch.equal(model._turns(LAYOUT.text_ids(5) + behind), text)


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Lengths of the streams, which a test fills in, so that the stock model's sources see themselves alone."""
    lengths: list[list[int]] = [[]]

    def dispatched(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, **rest: Any) -> Tensor:
        seen = visibility(lengths[0])
        return dispatch_attention_fn(
            query, key, value, attn_mask=seen if attn_mask is None else seen & attn_mask, **rest
        )

    compute_in_double(monkeypatch)
    monkeypatch.setattr(transformer_qwenimage, "dispatch_attention_fn", dispatched)
    return lengths


@pytest.mark.parametrize("sides", [((3, 4),), ((2, 3),), ((3, 2),), ((1, 4), (3, 1))], ids=str)
@pytest.mark.parametrize("experts", [0, 1])
@pytest.mark.parametrize("lengths", [(), (5, 2, 1)], ids=["unpadded", "padded"])
def test_it_is_the_stock_joint_attention_under_a_mask(
    sides: tuple[tuple[int, int], ...], experts: int, lengths: tuple[int, ...], masked: list[list[int]]
) -> None:
    """Edit-2511 itself, called with [noisy, source 1, …], its references kept from seeing text and noisy tokens; with
    and without a fresh expert."""
    stock = stock_model()
    given = inputs3(sides=sides, lengths=lengths)
    both = by_shapes(given, *((1, *side) for side in sides))
    both["hidden_states"] = torch.cat([given.noisy, *(each.tokens for each in given.sources)], dim=1)
    masked[0] = [5, 12, *(rows * columns for rows, columns in sides)]
    expected = stock(**both).sample[:, : given.noisy.shape[1]]

    model = CoLoGenQwenImageTransformer2DModel.of(stock)
    for _ in range(experts):
        model.add_expert(1, dtype=torch.float64)
    cache = model.encode_source(given.sources)
    found = model(**given.stock(), source=cache).sample
    assert (found - expected).abs().max() <= 1e-12
    assert (found - model(**given.stock(), source=given.sources).sample).abs().max() <= 1e-12


def test_a_wide_source_is_another_than_a_tall_one() -> None:
    """Rows are not columns."""
    model = tiny3(1)
    wide, tall = (inputs3(sides=(side,)) for side in ((2, 3), (3, 2)))
    assert torch.equal(wide.sources[0].tokens, tall.sources[0].tokens)
    found = [model(**each.stock(), source=each.sources).sample for each in (wide, tall)]
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_saved_whole_it_comes_back_whole(tmp_path: Path) -> None:
    model, given = tiny3(2, dtype=torch.float32, routing="token"), inputs3(dtype=torch.float32, lengths=(5, 2, 1))
    model.save_pretrained(tmp_path)
    again = CoLoGenQwenImageTransformer2DModel.from_pretrained(tmp_path).eval()
    assert torch.equal(
        again(**given.stock(), source=given.sources).sample, model(**given.stock(), source=given.sources).sample
    )


def test_what_is_not_supported_is_refused() -> None:
    with pytest.raises(ValueError, match="neither layered pictures nor guidance"):
        tiny3(use_layer3d_rope=True)
    given = inputs3()
    with pytest.raises(ValueError, match="positions are given by img_shapes, or by both of img_ids and txt_ids"):
        tiny3()(**{**given.stock(), "img_ids": None})
