"""A stage on Qwen-Image: wide and tall pictures, interrupted and resumed, in an adapter that names its base."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cologen.model.adapter_index import read_index
from cologen.model.adapters import load_adapter
from cologen.model.bundle import Bundle, load
from cologen.model.presets import preset_of
from tests.model.tiny_qwen import write_qwen
from tests.trainer.small_runs import adapter_bytes, recipe, train

pytestmark = pytest.mark.slow


def test_a_stage_trains_and_resumes_in_the_same_bits(data: Path, tmp_path: Path) -> None:
    folder = write_qwen(tmp_path / "qwen")

    def base() -> Bundle:
        return load(preset_of(folder), folder, dtype=torch.float32)

    of = recipe("resolution.multiple=16", "resolution.max_aspect=2.0", "rank=4")
    whole = train(tmp_path / "whole", data, of, [0], base=base)
    assert len(whole.reports) == 6
    assert all(0 < report.loss < 10 for report in whole.reports)
    train(tmp_path / "halves", data, of, [0], base=base, stop_after=3)
    train(tmp_path / "halves", data, of, [0], base=base)
    assert adapter_bytes(tmp_path / "whole") == adapter_bytes(tmp_path / "halves")

    adapter = tmp_path / "whole" / "adapter"
    assert read_index(adapter)["base"]["kind"] == "qwen-image"
    learned = load_file(adapter / "expert-0.safetensors")
    assert all(weight.abs().max() > 0 for weight in learned.values())
    model = base().transformer
    load_adapter(model, adapter)
    assert model.num_experts == 1
