"""What a stage computes in, and by which attention."""

from pathlib import Path

import pytest
import torch
from diffusers.models.attention_dispatch import _AttentionBackendRegistry as dispatch  # pyright: ignore[reportPrivateUsage]

from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.trainer.loop.run import Run, computing, learner_of
from cologen.trainer.recipes.catalog import load_recipe
from tests.trainer.small_runs import ALONE, Watching
from tests.trainer.two_runs import NEVER


def run_of(folder: Path, name: str, precision: str) -> Run:
    recipe = load_recipe(name, [f"precision={precision}", "compile=false"])
    bundle = build(preset(recipe.preset))
    return Run(folder=folder, recipe=recipe, bundle=bundle, processes=ALONE, strategy="ddp", watcher=Watching(NEVER))


@pytest.mark.parametrize(
    ("name", "precision", "expected"),
    [
        ("world-base", "bf16", torch.bfloat16),
        ("world-base", "fp32", torch.float32),
        ("world", "bf16", torch.float32),  # a frozen base is in bf16 already, and experts compute as it does
        ("world", "fp32", torch.float32),
    ],
)
def test_only_a_base_that_trains_in_bf16_computes_products_so(
    tmp_path: Path, name: str, precision: str, expected: torch.dtype
):
    run = run_of(tmp_path, name, precision)
    with computing(run, run.recipe.stages[0]):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize("name", ["world", "world-base"])
@pytest.mark.parametrize(("precision", "expected"), [("bf16", "_native_math"), ("fp32", None)])
def test_bf16_on_a_cpu_attends_in_plain_operations_and_nothing_else_of_the_process_does(
    tmp_path: Path, name: str, precision: str, expected: str | None
):
    before = dispatch.get_active_backend()
    run = run_of(tmp_path, name, precision)
    learner_of(run, 0, None)
    attentions = run.bundle.transformer._attentions()  # pyright: ignore[reportPrivateUsage]
    chosen = {attn.processor._attention_backend for attn in attentions}
    assert {each and each.value for each in chosen} == {expected}
    assert dispatch.get_active_backend() == before
