"""What a run writes is counted, caches within their bound, and too full a disk is said with what helps."""

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cologen.model.gpus import gpu_named
from cologen.model.presets import preset
from cologen.trainer.dry_run.disk import Disk, disk, lacking
from cologen.trainer.dry_run.estimates import Setup, memory
from cologen.trainer.dry_run.missing import from_stored_text
from cologen.trainer.loop.kept_files import Kept
from cologen.trainer.recipes.paper import cologen_flux
from cologen.trainer.recipes.world import world, world_base
from tests.trainer import small_runs


def needed(recipe=None, stages=range(5), folder=Path("/tmp"), rows=None, builds_data=False) -> Disk:
    recipe = recipe or cologen_flux()
    return disk(recipe, list(stages), folder, rows=rows or {}, builds_data=builds_data)


def test_checkpoints_are_counted_as_they_are_kept():
    found = needed()
    assert found.num_checkpoints == 2 + 1 + 4
    assert found.checkpoint == pytest.approx((4 * 5 + 12) * 89.7e6, rel=0.02)
    assert needed(stages=[0]).num_checkpoints == 3
    assert needed(stages=[]).run == 0
    assert needed(cologen_flux().replace(ema_decay=0.0)).checkpoint < found.checkpoint


def test_a_checkpoint_takes_what_was_said(data: Path, tmp_path: Path):
    recipe = small_runs.recipe("stages.inpaint.iterations=2")
    small_runs.train(tmp_path / "run", data, recipe)
    (last,) = (tmp_path / "run" / "checkpoints").iterdir()
    size = sum(path.stat().st_size for path in last.rglob("*.safetensors"))
    assert needed(recipe, [0]).checkpoint == pytest.approx(size, rel=0.1)
    assert torch.get_default_dtype() == torch.float32


def test_caches_are_off_or_bounded():
    assert needed().text is None and needed().latents is None
    kept = cologen_flux().replace(cache_text=True, cache_latents=True)
    manifests = kept.stages[0].manifests
    assert needed(kept).text == 50e9  # rows are not known, so all that the bound allows
    rows = dict.fromkeys(manifests, 100)
    assert needed(kept, [0], rows=rows).text == 300 * 2 * (512 * 4096 + 768)
    assert needed(kept, [0], rows=dict.fromkeys(manifests, 10**7)).text == 50e9
    assert needed(kept, [0]).latents == 50e9
    assert needed(world().replace(cache_latents=True), [0]).latents == 2 * 3840 * 48 * 64 * 4


def test_too_little_room_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**10))
    recipe = cologen_flux().replace(keep_last=3)
    plan = needed(recipe, [0], tmp_path / "not" / "yet")
    assert lacking(plan, recipe, tmp_path) == []
    (line,) = lacking(replace(plan, free=plan.run - 1), recipe, tmp_path)
    assert "--set keep_last=1" in line and "choose another --out" in line
    (line,) = lacking(replace(plan, free=1.0), recipe, tmp_path)
    assert "keep_last" not in line
    apart = replace(plan, rows=2e10, one_disk=False)
    assert "COLOGEN_CACHE" in lacking(apart, recipe, tmp_path)[0]


def test_stored_text_takes_what_it_takes_and_no_gpu_memory(tmp_path: Path):
    recipe = cologen_flux().replace(stored_text=True)
    kept = Kept(tmp_path)
    assert disk(recipe, [0], tmp_path, rows={}, builds_data=False).stored_text is None
    assert from_stored_text(kept)[0].startswith(f"the text embeddings {tmp_path}: `python -m pipelines.encode_text`")
    size = kept.put("ab12", {"embeds": torch.rand(64, 64)})
    found = disk(recipe, [0], tmp_path, rows={}, builds_data=False, stored_text=kept)
    assert (found.stored_text, found.text) == (size, None)
    assert from_stored_text(kept) == []
    setup = Setup(gpu=gpu_named("h100"), num_gpus=1, sharded=False, utilization=0.45)
    text, codec = preset(recipe.preset).encoders
    live = cologen_flux().replace(offload_text=False)
    assert memory(live, 0, setup).encoders - memory(recipe, 0, setup).encoders == 2 * text
    assert memory(recipe, 0, setup).encoders == 2 * codec
    with pytest.raises(ValueError, match="set cache_text to false"):
        recipe.replace(cache_text=True)
    with pytest.raises(ValueError, match="draws scenes and captions while it trains"):
        world_base().replace(stored_text=True)
    with pytest.raises(ValueError, match="stored_text loads no text encoders: set offload_text to false"):
        recipe.replace(offload_text=True)
