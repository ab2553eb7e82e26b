"""What was kept is what was encoded, bit for bit; other encoders have other folders, and damage is no harm."""

import shutil
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cologen.model.codecs import Codec
from cologen.model.text import Prompts, TextEncoder
from cologen.model.world_codec import WorldCodec
from cologen.model.world_text import WorldTextEncoder
from cologen.trainer.loop.kept import KeptLatents, KeptText, identity
from cologen.trainer.loop.kept_files import Kept

PROMPTS = ["a red ball", "", "a small dog on the left", "a red ball", "一只猫"]


def pictures(count: int = 3) -> Tensor:
    return torch.rand(count, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def num_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*.safetensors"))


def test_prompts_first_met_and_met_again_are_what_the_encoder_says(tmp_path: Path):
    encoder = WorldTextEncoder(8).to(torch.bfloat16)
    plain = encoder.encode(PROMPTS)
    for _ in range(2):
        found = KeptText.of(encoder, tmp_path).encode(PROMPTS)
        assert torch.equal(found.embeds, plain.embeds) and found.embeds.dtype == torch.bfloat16
        assert torch.equal(found.pooled, plain.pooled)
    assert num_files(tmp_path) == 4
    assert isinstance(KeptText.of(encoder, tmp_path), TextEncoder)


def test_latents_first_met_and_met_again_are_the_codec_s(tmp_path: Path):
    codec = WorldCodec()
    plain = codec.encode(pictures())
    for _ in range(2):
        kept = KeptLatents(codec, tmp_path)
        assert torch.equal(kept.encode(pictures()), plain)
    assert num_files(tmp_path) == 3
    assert isinstance(kept, Codec)
    assert (kept.downscale, kept.latent_channels) == (codec.downscale, codec.latent_channels)
    assert torch.equal(kept.decode(plain), codec.decode(plain))
    kept.encode(pictures(), torch.zeros_like(plain))
    kept.encode(pictures()[:, :, :12, :])
    assert num_files(tmp_path) == 6


def test_what_is_kept_is_read_and_not_made_again(tmp_path: Path):
    kept = KeptText.of(WorldTextEncoder(8), tmp_path)
    kept.encode(["a dog"])
    (path,) = tmp_path.rglob("*.safetensors")
    before = path.stat().st_mtime_ns
    kept.encode(["a dog"])
    assert path.stat().st_mtime_ns == before


def test_encoders_are_told_apart_by_settings_precision_and_weights(tmp_path: Path):
    encoder = WorldTextEncoder(8)
    assert identity(encoder) == identity(WorldTextEncoder(8).train())
    codec = WorldCodec()
    codec.mean[0] += 0.25
    others = [WorldTextEncoder(9), WorldTextEncoder(8).to(torch.bfloat16), WorldCodec(), codec]
    assert len({identity(each) for each in (encoder, *others)}) == 5


class Counting(WorldTextEncoder):
    """Remembers what it was asked to encode."""

    def __init__(self) -> None:
        super().__init__(8)
        self.calls: list[list[str]] = []

    def encode(self, prompts: Sequence[str]) -> Prompts:
        self.calls.append(list(prompts))
        return super().encode(prompts)


def test_what_is_not_kept_is_encoded_in_one_call_and_once(tmp_path: Path):
    encoder = Counting()
    kept = KeptText.of(encoder, tmp_path)
    kept.encode(["a dog"])
    kept.encode(["a cat", "a dog", "a bird", "a cat"])
    assert encoder.calls == [["a dog"], ["a cat", "a bird"]]


def test_what_is_read_ahead_is_found_and_what_was_not_there_yet_too(tmp_path: Path):
    encoder = Counting()
    KeptText.of(encoder, tmp_path).encode(["a dog", "a cat"])
    kept = KeptText.of(encoder, tmp_path)
    kept.ahead(["a dog", "a bird"])
    kept.encode(["a cat", "a bird"])
    kept.ahead(["a cat"])
    assert torch.equal(kept.encode(["a bird", "a dog"]).embeds, WorldTextEncoder(8).encode(["a bird", "a dog"]).embeds)
    assert encoder.calls == [["a dog", "a cat"], ["a bird"]]


def test_a_flipped_bit_is_never_trained_on(tmp_path: Path):
    text, codec = KeptText.of(WorldTextEncoder(8), tmp_path / "text"), KeptLatents(WorldCodec(), tmp_path / "latents")
    embeds, latents = text.encode(PROMPTS).embeds, codec.encode(pictures())
    for path in tmp_path.rglob("*.safetensors"):
        damaged = bytearray(path.read_bytes())
        damaged[-5] ^= 4
        path.write_bytes(damaged)
    for _ in range(2):
        assert torch.equal(text.encode(PROMPTS).embeds, embeds)
        assert torch.equal(codec.encode(pictures()), latents)


def test_at_the_bound_all_else_is_encoded_again(tmp_path: Path):
    encoder = WorldTextEncoder(8)
    kept = KeptText.of(encoder, tmp_path, limit=40_000)
    prompts = [f"a picture of {number} red balls" for number in range(40)]
    for _ in range(2):
        assert torch.equal(kept.encode(prompts).embeds, encoder.encode(prompts).embeds)
    assert 0 < num_files(tmp_path) < 10


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_a_damaged_file_is_made_again(tmp_path: Path, content: bytes):
    kept = KeptText.of(WorldTextEncoder(8), tmp_path)
    plain = kept.encode(["a dog"])
    (path,) = tmp_path.rglob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(content)
    assert torch.equal(kept.encode(["a dog"]).embeds, plain.embeds)
    assert path.read_bytes() == whole


def test_nothing_is_kept_on_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "total used free")(1000, 950, 50)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    Kept(tmp_path).write("ab12", {"value": torch.zeros(2)})
    assert num_files(tmp_path) == 0
    monkeypatch.undo()
    Kept(tmp_path).write("ab12", {"value": torch.zeros(2)})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab12.safetensors"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "file").write_text("in the way")
    encoder = WorldTextEncoder(8)
    found = KeptText.of(encoder, tmp_path / "file").encode(["a dog", "a cat"])
    assert torch.equal(found.embeds, encoder.encode(["a dog", "a cat"]).embeds)
    assert caplog.text.count("nothing more is kept") == 1
