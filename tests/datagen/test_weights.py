"""Laws of reading checkpoints: prefixes fall away, nothing is run, nothing missing goes unnoticed."""

import os
import resource
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from cologen.datagen.randomness import generator
from cologen.datagen.weights import device_named, fill, read_state_dict


class _Payload:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_prefixes_and_the_model_key_fall_away(tmp_path: Path) -> None:
    layer = nn.Linear(2, 3)
    state = layer.state_dict()
    for number, content in enumerate([state, {"model": {f"module.{name}": value for name, value in state.items()}}]):
        path = tmp_path / f"{number}.pth"
        torch.save(content, path)
        read = read_state_dict(path)
        assert read.keys() == {"weight", "bias"}
        assert torch.equal(read["weight"], layer.weight)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": _Payload()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth is not a checkpoint of tensors alone"):
        read_state_dict(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_broken_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.pth"):
        read_state_dict(path)


@pytest.mark.parametrize("content", [[1, 2], {"model": {"epoch": 3}}, {}])
def test_files_without_tensors_by_name_are_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match="holds no tensors by name"):
        read_state_dict(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        read_state_dict(tmp_path / "nowhere.pth")


def test_filling_forgives_too_much_and_never_too_little() -> None:
    layer, state = nn.Linear(2, 3), nn.Linear(2, 3).state_dict()
    fill(layer, state | {"only.training": torch.zeros(1)}, Path("a.pth"))
    assert torch.equal(layer.weight, state["weight"])
    with pytest.raises(ValueError, match=r"a\.pth lacks 1 weights of the network, such as 'bias'"):
        fill(layer, {"weight": state["weight"]}, Path("a.pth"))
    with pytest.raises(ValueError, match="of another network"):
        fill(layer, nn.Linear(4, 3).state_dict(), Path("a.pth"))


def test_auto_is_a_device_of_this_machine() -> None:
    assert torch.zeros(1, device=device_named("auto")).device.type in {"cpu", "cuda"}
    with pytest.raises(ValueError, match=r"no CUDA device cuda:99 on this machine, which has \d+: use --device cpu"):
        device_named("cuda:99")
    assert device_named("cpu") == torch.device("cpu")


def mutated(whole: bytes, number: int) -> bytes:
    """A file of which a few bytes changed, or the end is missing, or a piece stands in another place."""
    draw, data = generator(number, "mutation"), bytearray(whole)
    # Half of them in the parts that are no tensor values: those stand at the ends of the file.
    reach = len(data) if number % 2 else 1200
    for _ in range(int(draw.integers(1, 6))):
        place = int(draw.integers(reach))
        data[place if draw.random() < 0.5 else -1 - place] = int(draw.choice([0, 1, 127, 128, 255, draw.integers(256)]))
    if number % 7 == 0:
        del data[int(draw.integers(len(data))) :]
    if number % 11 == 0:
        start, stop = sorted(draw.integers(0, len(data) + 1, 2).tolist())
        data[start:start] = data[start:stop]
    return bytes(data)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_mutated_file_is_read_or_named_in_one_line(legacy: bool, tmp_path: Path) -> None:
    path, layer = tmp_path / "net.pth", nn.Linear(20, 30)
    torch.save({"model": layer.state_dict()}, path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(400):
        path.write_bytes(mutated(whole, number))
        try:
            with warnings.catch_warnings(action="ignore"):
                fill(layer, read_state_dict(path), path)
        except ValueError as error:
            assert str(error).startswith(f"{path} ")
            assert "\n" not in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10  # KB


def test_a_tensor_that_the_file_does_not_hold_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(1 << 40)}, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"net\.pth is not a checkpoint.*1099511627776.*the file fewer"):
        read_state_dict(tmp_path / "net.pth")


def test_a_compressed_checkpoint_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net/data.pkl", bytes(1 << 20))
    with pytest.raises(ValueError, match=r"net\.pth is not a checkpoint.*claims 1,048,576 bytes"):
        read_state_dict(path)
