"""What is read is what was written, bit for bit and from the same key, and the bound on the folder holds."""

from pathlib import Path

import pytest
import torch

from cologen.trainer.loop.kept_files import Kept, compressed, decompressed


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def on_disk(folder: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("shape", [(1, 7, 5), (3,), (1, 1), (0, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.uint8])
def test_every_bit_comes_back(shape: tuple[int, ...], dtype: torch.dtype):
    tensor = (100 * random(*shape)).abs().to(dtype)
    found = decompressed(compressed(tensor), dtype, list(shape))
    assert found.dtype == dtype and found.shape == tensor.shape
    assert torch.equal(found, tensor)


def test_nan_and_negative_zero_come_back():
    tensor = torch.tensor([[float("nan"), -0.0, float("inf")]] * 3)
    found = decompressed(compressed(tensor), torch.float32, [3, 3])
    assert torch.equal(found.view(torch.int32), tensor.view(torch.int32))


def test_rows_that_repeat_take_no_space():
    words, padding = random(1, 20, 256), random(1, 1, 256).expand(1, 492, 256)
    whole = torch.cat((words, padding), dim=1).to(torch.bfloat16)
    assert len(compressed(whole)) < 1.2 * words.to(torch.bfloat16).nbytes


def test_any_flipped_bit_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    kept = Kept(tmp_path)
    tensors = {"embeds": random(1, 4, 3), "pooled": random(1, 2)}
    kept.write("ab12", tensors)
    (path,) = tmp_path.rglob("*.safetensors")
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 11):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = kept.read("ab12")
        assert found is None or all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert caplog.text.count("is not used and made again") == 1
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert kept.read("ab12") is None


def test_a_file_of_another_key_is_not_used(tmp_path: Path):
    kept = Kept(tmp_path)
    kept.write("ab12", {"value": random(2, 2)})
    (path,) = tmp_path.rglob("*.safetensors")
    path.with_name("ab34.safetensors").write_bytes(path.read_bytes())
    assert kept.read("ab34") is None
    assert kept.read("ab12") is not None


def test_the_bound_holds_over_all_that_write(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    limit = 100_000
    several = [Kept(tmp_path / name, tmp_path, limit) for name in ("one", "two", "two")]
    for number in range(60):
        for place, kept in enumerate(several):
            kept.write(f"{number:02}{place}", {"value": random(100, 10) + number})
        assert on_disk(tmp_path) <= limit
    assert on_disk(tmp_path) > 0.8 * limit
    assert caplog.text.count("reached its bound of 0.0001 GB (cache_gb;") == 3  # each says it once
    assert several[0].read("000") is not None
    later = Kept(tmp_path / "one", tmp_path, limit)
    later.write("990", {"value": random(100, 10)})
    assert later.read("990") is None


def test_room_that_was_made_is_used_again(tmp_path: Path):
    limit = 30_000
    full = Kept(tmp_path, limit=limit)
    for number in range(20):
        full.write(f"{number:04}", {"value": random(100, 10)})
    for path in tmp_path.rglob("*.safetensors"):
        path.unlink()
    later = Kept(tmp_path, limit=limit)
    later.write("0099", {"value": random(100, 10)})
    assert later.read("0099") is not None


def test_what_is_written_again_is_counted_once(tmp_path: Path):
    kept = Kept(tmp_path, limit=20_000)
    for _ in range(20):
        kept.write("ab12", {"value": random(100, 10)})
    kept.write("cd34", {"value": random(100, 10)})
    assert kept.read("cd34") is not None
