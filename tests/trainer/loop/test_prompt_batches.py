"""A prompt's embedding is the same in any company, and with weights that come and go."""

from pathlib import Path

import pytest
import torch

from cologen.model.text import FluxTextEncoder, TextEncoder
from cologen.trainer.loop.kept import KeptText, identity
from cologen.trainer.loop.prompt_batches import FixedBatches, Offloaded
from tests.model.tiny_flux import write_flux

CPU = torch.device("cpu")
PROMPTS = ["a red cat", "", "two cats on the grass", "a", "a red ball " * 30, "cat"]


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def flux(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FluxTextEncoder:
    folder = write_flux(tmp_path_factory.mktemp("base") / "flux")
    return FluxTextEncoder.from_folder(folder, dtype=request.param, num_tokens=64)


def test_company_and_order_change_no_bit(flux: FluxTextEncoder):
    encoder = FixedBatches(flux)
    assert isinstance(encoder, TextEncoder)
    together, backwards = encoder.encode(PROMPTS), encoder.encode(PROMPTS[::-1])
    for number, prompt in enumerate(PROMPTS):
        alone = encoder.encode([prompt])
        for company, place in ((together, number), (backwards, -1 - number)):
            assert torch.equal(company.embeds[place], alone.embeds[0])
            assert torch.equal(company.pooled[place], alone.pooled[0])
    plain = flux.encode(PROMPTS)
    torch.testing.assert_close(together.embeds, plain.embeds, rtol=0.02, atol=0.02)


def test_every_call_has_one_shape(flux: FluxTextEncoder, monkeypatch: pytest.MonkeyPatch):
    sizes, plain = [], flux.encode
    monkeypatch.setattr(flux, "encode", lambda prompts: sizes.append(len(prompts)) or plain(prompts))
    FixedBatches(flux, 4).encode(PROMPTS[:5])
    assert sizes == [4, 4]


def test_offloaded_weights_give_the_same_and_are_home_again(flux: FluxTextEncoder):
    plain, before = flux.encode(PROMPTS), {name: weight.data_ptr() for name, weight in flux.named_parameters()}
    offloaded = Offloaded(flux, CPU)
    for _ in range(2):
        found = offloaded.encode(PROMPTS)
        assert torch.equal(found.embeds, plain.embeds) and torch.equal(found.pooled, plain.pooled)
    assert {name: weight.data_ptr() for name, weight in flux.named_parameters()} == before
    there = Offloaded(flux, torch.device("meta"))
    with pytest.raises((NotImplementedError, RuntimeError)):  # it computes where it was told to, even if that fails
        assert there.encode(["a cat"]).embeds.cpu()
    assert {name: weight.data_ptr() for name, weight in flux.named_parameters()} == before
    assert torch.equal(flux.encode(PROMPTS).embeds, plain.embeds)


def test_padding_of_flux_is_kept_exactly_and_in_less_space(flux: FluxTextEncoder, tmp_path: Path):
    encoder = FixedBatches(FluxTextEncoder(flux.clip, flux.clip_tokenizer, flux.t5, flux.t5_tokenizer, num_tokens=512))
    plain = encoder.encode(["a red cat"])
    for _ in range(2):
        assert torch.equal(KeptText.of(encoder, tmp_path).encode(["a red cat"]).embeds, plain.embeds)
    (path,) = tmp_path.rglob("*.safetensors")
    assert path.stat().st_size < 0.75 * plain.embeds.nbytes


def test_encoders_in_other_wraps_are_told_apart(flux: FluxTextEncoder):
    wraps = [flux, FixedBatches(flux), FixedBatches(flux, 8), Offloaded(FixedBatches(flux), CPU)]
    assert len({identity(each) for each in wraps}) == 4
    shorter = FluxTextEncoder(flux.clip, flux.clip_tokenizer, flux.t5, flux.t5_tokenizer, num_tokens=32)
    assert identity(FixedBatches(shorter)) != identity(FixedBatches(flux))
