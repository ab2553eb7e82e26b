"""FLUX's encoder gives what FLUX's pipeline gives; that of the small bases tells all captions apart, on any machine."""

import hashlib
import logging
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline

from cologen.model.text import FluxTextEncoder, TextEncoder
from cologen.model.world_text import WorldTextEncoder
from tests.model.tiny_flux import write_flux

PROMPTS = ["a red ball on the grass", "", "two cats " * 40]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flux(tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="module")
def flux(folder: Path) -> FluxTextEncoder:
    return FluxTextEncoder.from_folder(folder, dtype=torch.float32)


@pytest.mark.parametrize("num_tokens", [512, 256])
def test_prompts_are_encoded_as_flux_encodes_them(flux: FluxTextEncoder, num_tokens: int):
    pipeline = FluxPipeline(
        scheduler=None, vae=None, transformer=None, text_encoder=flux.clip, tokenizer=flux.clip_tokenizer,
        text_encoder_2=flux.t5, tokenizer_2=flux.t5_tokenizer,
    )  # fmt: skip
    embeds, pooled, _ = pipeline.encode_prompt(PROMPTS, max_sequence_length=num_tokens)
    ours = FluxTextEncoder(flux.clip, flux.clip_tokenizer, flux.t5, flux.t5_tokenizer, num_tokens=num_tokens).encode(
        PROMPTS
    )
    assert ours.embeds.shape == (3, num_tokens, 24)
    assert ours.pooled.shape == (3, 16)
    assert torch.equal(ours.embeds, embeds)
    assert torch.equal(ours.pooled, pooled)


def test_the_tiny_tokenizers_tell_words_apart_and_cut_at_their_lengths(flux: FluxTextEncoder):
    red = flux.clip_tokenizer(["red"]).input_ids[0]
    assert len(red) == 3  # start, one merged word, end
    assert flux.clip_tokenizer.model_max_length == 77
    assert len(flux.clip_tokenizer(PROMPTS[2]).input_ids) > 77
    prompts = flux.encode(["a red cat", "a red bat"])
    assert not torch.equal(prompts.embeds[0], prompts.embeds[1])
    assert not torch.equal(prompts.pooled[0], prompts.pooled[1])


def test_flux_encoders_are_frozen_and_in_the_asked_precision(folder: Path):
    text = FluxTextEncoder.from_folder(folder)
    assert not any(weight.requires_grad for weight in text.parameters())
    assert text.encode(["red"]).embeds.dtype == torch.bfloat16


def test_a_folder_that_lacks_parts_names_them(tmp_path: Path):
    (tmp_path / "tokenizer").mkdir()
    with pytest.raises(FileNotFoundError, match="has no text_encoder, text_encoder_2, tokenizer_2: not a whole"):
        FluxTextEncoder.from_folder(tmp_path)


def test_both_are_text_encoders(flux: FluxTextEncoder):
    assert isinstance(flux, TextEncoder)
    assert isinstance(WorldTextEncoder(), TextEncoder)


def test_a_caption_is_the_same_alone_and_in_a_batch():
    text = WorldTextEncoder()
    alone, batch = text.encode(["a red ball"]), text.encode(["", "a red ball", "two cats"])
    assert torch.equal(alone.embeds[0], batch.embeds[1])
    assert torch.equal(alone.pooled[0], batch.pooled[1])


def test_a_caption_is_the_same_in_every_process_and_on_every_machine():
    prompts = WorldTextEncoder(num_tokens=48).encode(["A red ball, left of two cats."])
    digest = hashlib.sha256(prompts.embeds.numpy().tobytes() + prompts.pooled.numpy().tobytes()).hexdigest()
    assert digest == "2aa2da400ef57a3fa8222b7b6c57920e5a534849b001875151a6c414ce754053"


@pytest.mark.parametrize("other", ["a blue ball", "a red box", "ball a red", "a red ball .", "a red", ""])
def test_captions_that_differ_in_a_word_its_place_or_its_presence_differ(other: str):
    prompts = WorldTextEncoder().encode(["a red ball", other])
    assert not torch.equal(prompts.embeds[0], prompts.embeds[1])


def test_a_caption_is_words_and_punctuation_in_any_case_then_zeros():
    text = WorldTextEncoder()
    prompts = text.encode(["A red, ball.", "a RED , ball ."])
    assert torch.equal(prompts.embeds[0], prompts.embeds[1])
    assert prompts.embeds.shape == (2, 56, text.channels)
    assert prompts.pooled.shape == (2, text.pooled_channels)
    assert prompts.embeds[0, :5].any(dim=1).all()
    assert not prompts.embeds[0, 5:].any()


def test_a_token_tells_its_word_the_words_before_and_its_place():
    embeds = WorldTextEncoder().encode(["red ball", "red red ball"]).embeds
    (red, ball), (same_red, _, later_ball) = embeds[0, :2], embeds[1, :3]
    word, memory, place = slice(0, 128), slice(128, 256), slice(256, 320)
    assert torch.equal(red, same_red)
    assert not red[memory].any()
    assert torch.equal(ball[memory], red[word] / 2)
    assert torch.equal(later_ball[memory], red[word] * 3 / 4)
    assert torch.equal(ball[word], later_ball[word])
    assert ball[place] @ later_ball[place] == 0


def test_the_pooled_vector_is_that_of_the_bag_of_words():
    prompts = WorldTextEncoder().encode(["a red ball", "ball red a", "a red box", ""])
    assert torch.equal(prompts.pooled[0], prompts.pooled[1])
    assert not torch.equal(prompts.pooled[0], prompts.pooled[2])
    assert not prompts.pooled[3].any()
    assert 0.5 < prompts.pooled[0].std() < 2


def test_words_are_nearly_orthogonal():
    words = WorldTextEncoder(1).encode([f"word{i}" for i in range(200)]).embeds[:, 0, :128]
    cosines = (words @ words.T / 128).fill_diagonal_(0)
    assert cosines.abs().max() < 0.5


def test_too_long_a_caption_loses_its_end_and_says_so_once(caplog: pytest.LogCaptureFixture):
    text = WorldTextEncoder(4)
    with caplog.at_level(logging.WARNING):
        cut = text.encode(["a red ball on green grass"])
        text.encode(["a red ball on green grass"])
    assert torch.equal(cut.embeds, text.encode(["a red ball on"]).embeds)
    assert [record.getMessage() for record in caplog.records] == [
        "a caption of 6 tokens was cut to 4, and lost: 'green grass' (said once)"
    ]


def test_the_worlds_encoder_follows_its_device_and_dtype():
    prompts = WorldTextEncoder().bfloat16().encode(["a red ball"])
    assert prompts.embeds.dtype == prompts.pooled.dtype == torch.bfloat16
    assert torch.equal(prompts.embeds.float(), WorldTextEncoder().encode(["a red ball"]).embeds)  # exact: ±1 and halves


def test_more_tokens_than_places_are_refused():
    with pytest.raises(ValueError, match="1 to 64, got 65"):
        WorldTextEncoder(65)
