"""Spoiled weights of each network are refused in one line that names the file, or are the weights that were saved."""

import json
import os
import pickle
import random
import struct
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from segment_anything.modeling import Sam as SamNetwork
from torch import Tensor
from transformers import DPTConfig, DPTForDepthEstimation

from cologen.datagen.concepts.grounding_dino import load_grounding_dino
from cologen.datagen.concepts.segment import Sam
from cologen.datagen.control.depth import load_dpt
from cologen.datagen.control.hed import load_hed
from cologen.datagen.control.lineart import load_lineart

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("FUZZ_SEED", "0"))
SECONDS = float(os.environ.get("FUZZ_SECONDS", "3"))
FEWEST_ROUNDS = 16
MOST_ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "80"))
MOST_BYTES = 2 << 30

Rng = random.Random
State = dict[str, Tensor]


class _Payload:
    """What a pickle with code in it would run."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def spoiled_bytes(data: bytes, rng: Rng) -> bytes:
    """Bytes changed where names, shapes and sizes stand (both ends), or anywhere; a piece cut, doubled or blanked."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 2, 6])):
        reach = min(len(data), rng.choice([16, 2000, 20_000, len(data)]))
        place = rng.randrange(reach)
        changed[place if rng.random() < 0.5 else -1 - place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    start, stop = sorted(rng.randrange(len(data)) for _ in range(2))
    match rng.randrange(8):
        case 0:
            del changed[start:]
        case 1:
            changed[start:start] = changed[start : min(stop, start + 4096)]
        case 2:
            changed[start : start + 4096] = bytes(len(changed[start : start + 4096]))
    return bytes(changed)


def spoiled_state(state: State, rng: Rng) -> Any:
    """A checkpoint that is whole and holds something else."""
    changed: dict[Any, Any] = dict(state)
    name = rng.choice(sorted(state))
    value = state[name]
    others: list[Callable[[], Any]] = [
        lambda: changed.pop(name),
        lambda: changed.update({name: value[..., :0]}),
        lambda: changed.update({name: value.reshape(1, *value.shape)}),
        lambda: changed.update({name: value.flatten()}),
        lambda: changed.update({name: torch.zeros(1).expand(1 << 40)}),
        lambda: changed.update({name: torch.zeros(1).expand(1 << 20, 1 << 20)}),
        lambda: changed.update({name: torch.zeros(1).expand([1 << 15] * max(1, value.ndim))}),
        lambda: changed.update({name: value.to_sparse() if value.ndim else value}),
        lambda: changed.update({name: value.to(torch.complex64)}),
        lambda: changed.update({name: "words"}),
        lambda: changed.update({name: _Payload()}),
        lambda: changed.update({5: value}),
        lambda: changed.update({f"{name}.{10**9}": value}),
        lambda: changed.update({name.replace(".0.", f".{10**9}."): value}),
        changed.clear,
    ]
    rng.choice(others)()
    return rng.choice([changed, {"model": changed}, {"model": None, **changed}, [changed]])


@pytest.fixture(scope="module")
def annotators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HED's and lineart's networks have one size; their weights are zeros here, which a file still holds whole."""
    from cologen.datagen.control.annotators import annotator

    folder = tmp_path_factory.mktemp("annotators")
    torch.save(annotator("hed").ControlNetHED_Apache2().state_dict(), folder / "ControlNetHED.pth")
    torch.save(annotator("lineart").Generator(3, 1, 3).state_dict(), folder / "sk_model.pth")
    return folder


@pytest.fixture(scope="module")
def dpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dpt")
    config = DPTConfig(
        hidden_size=8, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[4, 4, 4, 4], fusion_hidden_size=4, is_hybrid=False,
    )  # fmt: skip
    DPTForDepthEstimation(config).save_pretrained(folder)
    return folder


def refused(load: Callable[[], Any], file: Path, kept: list[Any] | None = None) -> str:
    """The error of loading; "" for none, and then what was loaded is in ``kept``."""
    try:
        with warnings.catch_warnings(action="ignore"):
            loaded = load()
        if kept is not None:
            kept.append(loaded)
    except (ValueError, FileNotFoundError) as error:
        assert str(file) in str(error) or str(file.parent) in str(error), error
        assert "\n" not in str(error), error
        return str(error)
    return ""


def rounds(name: str) -> Iterator[tuple[int, Rng]]:
    end, number = time.monotonic() + SECONDS, 0
    while number < FEWEST_ROUNDS or (time.monotonic() < end and number < MOST_ROUNDS):
        yield number, Rng(f"{name} {SEED} {number}")
        number += 1


def fuzz(path: Path, load: Callable[[Path], Any], weights: Callable[[Any], State], folder: Path) -> None:
    """Spoil the file ``path`` and load it; what loads has every weight that the file is known to hold."""
    whole = path.read_bytes()
    state = torch.load(path, weights_only=True)
    before = psutil.Process().memory_info().vms
    counts = {"refused": 0, "loaded": 0}
    for number, rng in rounds(path.name):
        same = number == 0
        if same:
            path.write_bytes(whole)
        elif rng.random() < 0.5:
            path.write_bytes(spoiled_bytes(whole, rng))
        else:
            inner = state.get("model", state)
            torch.save(spoiled_state(inner, rng), path, _use_new_zipfile_serialization=rng.random() < 0.8)
        loaded: list[Any] = []
        try:
            error = refused(partial(load, path), path, loaded)
        except BaseException as found:
            raise AssertionError(f"{path.name}, round {number} of seed {SEED}") from found
        assert not (same and error), error
        counts["refused" if error else "loaded"] += 1
        if same:
            expected = {name.removeprefix("module."): value for name, value in state.get("model", state).items()}
            for name, value in weights(loaded[0]).items():
                assert torch.equal(value, expected[name]), name
        assert not (folder / "ran").exists()
        loaded.clear()
        assert psutil.Process().memory_info().vms - before < MOST_BYTES
    path.write_bytes(whole)
    assert counts["refused"] > 3 and counts["loaded"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where code in a checkpoint would leave its trace."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_segment_anything(sam_checkpoint: Path, tiny_sam: SamNetwork, here: Path) -> None:
    copy = here / "sam.pth"
    copy.write_bytes(sam_checkpoint.read_bytes())
    fuzz(copy, lambda path: Sam.load(path, device="cpu"), lambda sam: sam._network.state_dict(), here)


def test_grounding_dino(dino_files: Any, here: Path) -> None:
    copy = here / "dino.pth"
    copy.write_bytes(dino_files.checkpoint.read_bytes())
    load = lambda path: load_grounding_dino(dino_files.config, path, dino_files.text_encoder)  # noqa: E731
    fuzz(copy, load, lambda network: network.state_dict(), here)


@pytest.mark.parametrize(("file", "load"), [("ControlNetHED.pth", load_hed), ("sk_model.pth", load_lineart)])
def test_annotators(file: str, load: Callable[..., Any], annotators: Path, here: Path) -> None:
    copy = here / file
    copy.write_bytes((annotators / file).read_bytes())
    unchanged = lambda loaded: {} if file == "sk_model.pth" else loaded.network.state_dict()  # noqa: E731
    fuzz(copy, lambda path: load(path, device="cpu"), unchanged, here)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_depth(file: str, dpt: Path) -> None:
    """The header of safetensors is JSON behind its length; transformers reads it, and the configuration."""
    path = dpt / file
    whole = path.read_bytes()
    expected = load_dpt(dpt, device="cpu").network.state_dict()
    refusals = 0
    for number, rng in rounds(file):
        data = spoiled_bytes(whole, rng)
        if rng.random() < 0.4:
            data = spoiled_json(whole, rng, is_header=file == "model.safetensors")
        path.write_bytes(data if number else whole)
        try:
            error = refused(lambda: load_dpt(dpt, device="cpu"), path)
        except BaseException as found:
            raise AssertionError(f"{file}, round {number} of seed {SEED}: {data[:300]!r}") from found
        refusals += bool(error)
    path.write_bytes(whole)
    assert refusals > 3
    assert all(
        torch.equal(value, expected[name]) for name, value in load_dpt(dpt, device="cpu").network.state_dict().items()
    )


def spoiled_json(whole: bytes, rng: Rng, *, is_header: bool) -> bytes:
    length = struct.unpack_from("<Q", whole)[0] if is_header else len(whole)
    start = 8 if is_header else 0
    value = json.loads(whole[start : start + length])
    name = rng.choice(sorted(value))
    place = value[name] if isinstance(value[name], dict) and value[name] and rng.random() < 0.8 else value
    key = rng.choice(sorted(place))
    place[key] = rng.choice([None, -1, 0, 2**40, 2**63, "x", [], [2**40], [0, 2**62], {}, "F64", [-1, 5], 1e300, True])
    text = json.dumps(value).encode()
    return struct.pack("<Q", len(text)) + text + whole[8 + length :] if is_header else text


def test_a_pickle_by_itself_runs_nothing(sam_checkpoint: Path, here: Path) -> None:
    """As torch wrote checkpoints of old, and as an entry of the archive that it writes now."""
    plain = here / "plain.pth"
    plain.write_bytes(pickle.dumps({"model": _Payload()}))
    packed = here / "packed.pth"
    with zipfile.ZipFile(sam_checkpoint) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.namelist():
            is_pickle = entry.endswith("data.pkl")
            target.writestr(entry, pickle.dumps({"model": _Payload()}) if is_pickle else source.read(entry))
    for path in (plain, packed):
        assert "is not a checkpoint of tensors alone" in refused(lambda path=path: Sam.load(path, device="cpu"), path)
        assert not (here / "ran").exists()
