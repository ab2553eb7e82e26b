"""A FLUX folder is known by all that decides its outputs, at the price of a few kilobytes of each tensor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

from cologen.model.opening import PipelineSpec, fetched_base, fingerprint
from cologen.model.world_base import packaged_adapter, packaged_base

WEIGHTS, SCHEDULER = "transformer/model.safetensors", "scheduler/scheduler_config.json"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Two megabytes before and behind the attention, as in a real file, where the ends say nothing of it."""
    tensors = {name: torch.zeros(1 << 20, dtype=torch.float32) for name in ("a_embedder", "attention", "z_projection")}
    (tmp_path / "transformer").mkdir()
    (tmp_path / "scheduler").mkdir()
    save_file(tensors, tmp_path / WEIGHTS)
    (tmp_path / SCHEDULER).write_text(json.dumps({"shift": 3.0}))
    return tmp_path


def _merged(base: Path) -> None:
    tensors = load_file(base / WEIGHTS)
    save_file(tensors | {"attention": tensors["attention"] + 0.5}, base / WEIGHTS)


def _shifted(base: Path) -> None:
    (base / SCHEDULER).write_text(json.dumps({"shift": 1.0}))


@pytest.mark.parametrize("change", [_merged, _shifted])
def test_what_decides_outputs_changes_the_fingerprint(change: Callable[[Path], None], base: Path) -> None:
    before = fingerprint(PipelineSpec(base=str(base)))
    assert fingerprint(PipelineSpec(base=str(base))) == before
    change(base)
    assert fingerprint(PipelineSpec(base=str(base))) != before


def test_the_bundled_adapter_is_known_as_it_was_before_adapters_named_their_base() -> None:
    """So that outputs that were made with it are not generated again."""
    folder = packaged_adapter("world-tiny")
    assert folder is not None
    index = json.loads((folder / "adapter.json").read_text())
    assert "kind" not in index["base"]
    expected = hashlib.sha256(repr((None, "world-tiny", 0)).encode())
    expected.update(packaged_base("world-tiny").read_bytes())
    expected.update(repr(sorted(index.items())).encode())
    assert fingerprint(PipelineSpec(adapter=folder, stage=0)) == expected.hexdigest()[:16]


@pytest.mark.parametrize("content", [b"", b"\x05\0\0\0\0\0\0\0[1,2]", b"\xff" * 64])
def test_a_damaged_file_is_named(content: bytes, base: Path) -> None:
    (base / WEIGHTS).write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        fingerprint(PipelineSpec(base=str(base)))


@pytest.mark.parametrize(("kind", "fetched"), [("Flux2KleinPipeline", True), ("FluxPipeline", False)])
def test_of_names_on_the_hub_flux_2_is_fetched_whole(
    kind: str, fetched: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FLUX.1's stays a name. The hub is not asked here: what is fetched from it is in a folder."""
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda name, file: str(tmp_path / file))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **given: str(tmp_path))
    assert fetched_base("someone/base") == (str(tmp_path) if fetched else "someone/base")
    assert fetched_base(str(tmp_path)) == str(tmp_path)


def test_a_base_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, file: str) -> str:
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(FileNotFoundError, match=r"no folder someone/base, and the hub did not give such a base: off"):
        fetched_base("someone/base")
    with pytest.raises(FileNotFoundError, match=r"no FLUX folder at \./base"):
        fetched_base("./base")
