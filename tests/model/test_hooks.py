"""What hangs on a transformer works with a picture as it does with words alone, or is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    FasterCacheConfig,
    FirstBlockCacheConfig,
    MagCacheConfig,
    PyramidAttentionBroadcastConfig,
    TaylorSeerCacheConfig,
)

from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.hooks import plain_name, unwrapped
from cologen.model.pipeline import CoLoGenPipeline
from tests.model.test_pipeline import CALL, around, edited, folder, fresh, seeded, transformer_of
from tests.model.tiny import inputs, tiny

__all__ = ["folder", "fresh"]
STEPS = {"num_inference_steps": 4}
CPU = torch.device("cpu")

CACHES: dict[str, Any] = {
    "first block": lambda _: FirstBlockCacheConfig(threshold=0.5),
    "attention broadcast": lambda pipe: PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=(0, 1001),
        spatial_attention_block_identifiers=("transformer_blocks",),
        current_timestep_callback=lambda: pipe.current_timestep,
    ),
    "faster": lambda pipe: FasterCacheConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=(-1, 901),
        unconditional_batch_skip_range=2,
        attention_weight_callback=lambda _: 0.5,
        is_guidance_distilled=True,
        current_timestep_callback=lambda: pipe.current_timestep,
    ),
    "Taylor": lambda _: TaylorSeerCacheConfig(cache_interval=2, disable_cache_before_step=1, max_order=1),
    "magnitudes": lambda _: MagCacheConfig(
        threshold=0.06, max_skip_steps=3, retention_ratio=0.2, num_inference_steps=4, mag_ratios=torch.ones(4)
    ),
}


@pytest.mark.parametrize("source_timestep", ["zero", "shared"])
@pytest.mark.parametrize("cache", CACHES)
def test_for_a_step_cache_the_sources_pass_is_no_step(
    fresh: CoLoGenPipeline, cache: str, source_timestep: str, monkeypatch: pytest.MonkeyPatch
):
    """The same as if a twin without a cache had encoded the source, in this call and in the next."""
    arguments = {"num_layers": 2, "source_timestep": source_timestep}
    ours, twin = around(fresh, transformer_of(**arguments)), transformer_of(**arguments)
    plain = edited(ours, **STEPS)
    ours.transformer.enable_cache(CACHES[cache](ours))
    found, again = edited(ours, **STEPS), edited(ours, **STEPS)
    encode = CoLoGenTransformer2DModel.encode_source
    monkeypatch.setattr(CoLoGenTransformer2DModel, "encode_source", lambda _, *a, **k: encode(twin, *a, **k))
    assert torch.equal(edited(ours, **STEPS), found)
    assert torch.equal(again, found)
    assert not torch.equal(found, plain)
    ours.transformer.disable_cache()
    assert torch.equal(edited(ours, **STEPS), plain)


def test_a_training_step_under_a_step_cache_is_refused():
    model, given = tiny(1, dtype=torch.float32), inputs(dtype=torch.float32)
    model.enable_cache(CACHES["first block"](None))
    with pytest.raises(ValueError, match="a step cache is enabled: encode the source"):
        model(**given.stock(), source=given.sources)


@pytest.mark.parametrize("kind", [{"offload_type": "block_level", "num_blocks_per_group": 1},
                                  {"offload_type": "leaf_level"}], ids=["blocks", "leaves"])  # fmt: skip
def test_offloaded_in_groups_a_picture_is_seen_as_before(fresh: CoLoGenPipeline, kind: dict[str, Any], tmp_path: Path):
    """On a disk, so that weights which are not brought back are missing on a CPU too."""
    ours = around(fresh, transformer_of())
    expected, words = edited(ours), ours("red", generator=seeded(), **CALL)[0]
    ours.transformer.enable_group_offload(CPU, offload_to_disk_path=str(tmp_path), **kind)
    for _ in range(2):
        torch.testing.assert_close(edited(ours), expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours("red", generator=seeded(), **CALL)[0], words, rtol=0, atol=1e-5)


def test_a_parallel_model_sees_no_source_and_says_so():
    model, given = tiny(1), inputs()
    model._parallel_config = object()  # as enable_parallelism leaves it
    with pytest.raises(ValueError, match="context or tensor parallel"):
        model.encode_source(given.sources, pooled_projections=given.pooled)
    with pytest.raises(ValueError, match="context or tensor parallel"):
        model(**given.stock(), source=given.sources)
    assert model(**given.stock()).sample.isfinite().all()


def test_names_and_models_without_what_is_wrapped_around_them():
    model = tiny(1)
    assert unwrapped(torch.compile(model, backend="eager")) is unwrapped(model) is model
    assert plain_name("_orig_mod.blocks.0._orig_mod.attn.prw.router.choose") == "blocks.0.attn.prw.router.choose"
