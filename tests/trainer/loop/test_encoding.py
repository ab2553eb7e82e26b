"""A recipe that keeps what it encodes trains on the same numbers as one that does not."""

from pathlib import Path

import pytest
import torch

from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.trainer.data.batch import Batch
from cologen.trainer.loop.encoding import Encoder
from cologen.trainer.recipes.world import world


def test_kept_or_not_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path))
    bundle = build(preset("world-tiny"))
    draw = torch.Generator().manual_seed(0)
    batch = Batch(
        source=torch.randint(256, (2, 3, 32, 32), generator=draw, dtype=torch.uint8),
        target=torch.randint(256, (2, 3, 32, 32), generator=draw, dtype=torch.uint8),
        mask=torch.ones(2, 1, 32, 32, dtype=torch.uint8),
        prompts=("a dog", "a cat"),
        tasks=("editing", "editing"),
        places=(0, 1),
    )
    plain = Encoder.of(bundle, world())
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):
        kept = Encoder.of(bundle, world().replace(cache_text=True, cache_latents=True))
        latents, expected = kept.latents(batch), plain.latents(batch)
        assert torch.equal(latents.target, expected.target)
        assert latents.source is not None and expected.source is not None
        assert torch.equal(latents.source, expected.source)
        prompts, words = kept.prompts(batch.prompts), plain.prompts(batch.prompts)
        assert torch.equal(prompts.embeds, words.embeds) and torch.equal(prompts.pooled, words.pooled)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latents", "text"]


def test_a_step_s_prompts_are_encoded_together_and_once(monkeypatch: pytest.MonkeyPatch):
    bundle = build(preset("world-tiny"))
    encoder, expected = Encoder.of(bundle, world()), bundle.text.encode(["a dog", "a cat", ""])
    calls, plain = [], bundle.text.encode
    monkeypatch.setattr(bundle.text, "encode", lambda prompts: calls.append(list(prompts)) or plain(prompts))
    encoder.step(["a dog", "a cat", "a dog"], ["a bird"])
    found = encoder.prompts(["a cat", "a dog", "", "a dog"])
    assert torch.equal(found.embeds, expected.embeds[[1, 0, 2, 0]])
    assert torch.equal(found.pooled, expected.pooled[[1, 0, 2, 0]])
    assert calls == [["a dog", "a cat"], [""]]
    encoder.step(["", "a fish"])  # the empty prompt, which comes in every step, is kept
    assert calls[2:] == [["a fish"]]
    assert torch.equal(encoder.prompts([""]).embeds, expected.embeds[2:])
