"""A call's source is encoded as often as it changes, and read by every picture that is its own."""

from typing import Any

import pytest
import torch

from cologen.model.sampling import CallSource, Denoiser, Words
from tests.model.tiny import inputs, tiny


def call_source(num_images: int = 1, **arguments: Any) -> CallSource:
    given = inputs(batch=2)
    return CallSource(
        transformer=tiny(2, **arguments),
        tokens=given.sources,
        pooled=given.pooled,
        num_images=num_images,
        attention_kwargs={},
    )


@pytest.mark.parametrize(("source_timestep", "is_kept"), [("zero", True), ("shared", False)])
def test_a_source_is_encoded_once_if_it_is_seen_at_time_zero(source_timestep: str, is_kept: bool):
    source = call_source(source_timestep=source_timestep)
    early = source.at(torch.full((2,), 0.9, dtype=torch.float64))
    late = source.at(torch.full((2,), 0.1, dtype=torch.float64))
    assert (late is early) == is_kept
    assert torch.equal(early.keys[1], late.keys[1]) == is_kept


def test_each_sample_is_read_by_all_its_pictures_in_a_row():
    time = torch.zeros(2, dtype=torch.float64)
    once, thrice = call_source().at(time), call_source(num_images=3).at(time.repeat(3))
    for keys, repeated in zip(once.keys, thrice.keys, strict=True):
        assert torch.equal(keys.repeat_interleave(3, dim=0), repeated)


def test_a_shared_time_is_that_of_each_sample():
    time = torch.tensor([0.2, 0.2, 0.7, 0.7], dtype=torch.float64)
    source = call_source(num_images=2, source_timestep="shared")
    given = inputs(batch=2)
    expected = source.transformer.encode_source(given.sources, pooled_projections=given.pooled, timestep=time[::2])
    assert torch.equal(source.at(time).values[0][::2], expected.values[0])


@pytest.mark.parametrize("source_timestep", ["zero", "shared"])
def test_the_velocity_is_that_of_one_pass_that_encodes_for_itself(source_timestep: str):
    given = inputs(batch=2)
    source = call_source(source_timestep=source_timestep)
    words = Words(embeds=given.text, pooled=given.pooled, ids=given.txt_ids)
    denoiser = Denoiser(
        transformer=source.transformer,
        ids=given.img_ids,
        guidance=None,
        cfg_scale=1.0,
        beside=None,
        source=source,
        attention_kwargs={},
    )
    with torch.no_grad():
        for time in (torch.full((2,), 0.8, dtype=torch.float64), torch.full((2,), 0.3, dtype=torch.float64)):
            expected = source.transformer(**{**given.stock(), "timestep": time}, source=given.sources).sample
            assert torch.equal(denoiser.velocity(given.noisy, time, words, None), expected)


def test_guidance_leads_away_from_other_words():
    given, other = inputs(batch=2), inputs(batch=2, seed=5)
    words = Words(embeds=given.text, pooled=given.pooled, ids=given.txt_ids)
    against = Words(embeds=other.text, pooled=other.pooled, ids=given.txt_ids)
    model = tiny()

    def velocity(scale: float, words: Words, against: Words | None) -> torch.Tensor:
        denoiser = Denoiser(
            transformer=model, ids=given.img_ids, guidance=None, cfg_scale=scale, beside=None, source=None,
            attention_kwargs={},
        )  # fmt: skip
        with torch.no_grad():
            return denoiser.velocity(given.noisy, given.timestep, words, against)

    toward, away = velocity(1.0, words, None), velocity(1.0, against, None)
    torch.testing.assert_close(velocity(3.0, words, against), away + 3 * (toward - away))


def test_words_are_repeated_prompt_by_prompt():
    given = inputs(batch=2)
    words = Words(embeds=given.text, pooled=given.pooled, ids=given.txt_ids).repeated(2)
    assert torch.equal(words.pooled, given.pooled[[0, 0, 1, 1]])
    assert torch.equal(words.embeds, given.text[[0, 0, 1, 1]])


def test_several_sources_are_read_together():
    given = inputs(batch=2, sides=((3, 2), (2, 2)))
    source = CallSource(
        transformer=tiny(1), tokens=given.sources, pooled=given.pooled, num_images=1, attention_kwargs={}
    )
    assert source.at(torch.zeros(2, dtype=torch.float64)).keys[0].shape[1] == 10
