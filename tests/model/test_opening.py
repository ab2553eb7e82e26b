"""A FLUX folder is known by all that decides its outputs, at the price of a few kilobytes of each tensor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cologen.model.opening import PipelineSpec, fingerprint
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
