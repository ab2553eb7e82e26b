"""The paper's own recipe, on FLUX.1, and the same on FLUX.2 klein and Qwen-Image-Edit."""

from __future__ import annotations

from collections.abc import Mapping

from cologen.model.tasks import TaskName
from cologen.trainer.recipes.curriculum import Recipe, Resolution
from cologen.trainer.recipes.stages import Weight, five_stages

PAPER_MANIFESTS: Mapping[TaskName, dict[str, Weight]] = {
    "inpaint": dict.fromkeys(("inpaint-journeydb", "inpaint-ade20k", "inpaint-cocostuff"), "by size"),
    "grounding": dict.fromkeys(
        ("grounding-refcoco", "grounding-refcoco+", "grounding-refcocog", "grounding-lvis"), "by size"
    ),
    "control": dict.fromkeys(
        ("control-multigen", "control-multigen_depth", "control-ade20k", "control-cocostuff"), "by size"
    ),
    "customized": {"customized-subjects200k": "by size"},
    "editing": dict.fromkeys(("editing-omniedit", "editing-magicbrush", "editing-triplets"), "by size"),
}
"""Table 1; the in-house triplets are the user's own."""


def cologen_flux() -> Recipe:
    """The paper's five stages on FLUX.1-dev (section 3.1): iterations, batches, learning rates, ρ and α are its own.

    ``train --recipe cologen-flux --data DIR --base PATH --stage 0``, then 1 to 4. The paper says neither resolution
    nor warm-up nor EMA: 512 pixels, 1,000 steps and 0.9999 are ours.
    """
    sizes: dict[TaskName, tuple[int, int]] = {
        "inpaint": (200_000, 256),
        "grounding": (200_000, 256),
        "control": (400_000, 128),
        "customized": (50_000, 128),
        "editing": (200_000, 128),
    }
    return Recipe(
        name="cologen-flux",
        preset="flux-dev",
        resolution=Resolution(side=512, multiple=16, max_aspect=2.0),
        rank=128,
        ema_decay=0.9999,
        micro_batch=4,
        gradient_checkpointing=True,
        checkpoint_every=1000,
        stages=five_stages(PAPER_MANIFESTS, sizes, learning_rate=1e-4, warmup_steps=1000),
    )


def cologen_klein() -> Recipe:
    """``cologen-flux`` on FLUX.2 klein's base model of 4B parameters, whose licence is Apache-2.0."""
    return cologen_flux().replace(name="cologen-klein", preset="klein-base-4b")


def cologen_qwen_image_edit() -> Recipe:
    """``cologen-flux`` on Qwen-Image-Edit-2511 of 20B parameters, whose licence is Apache-2.0.

    Prompts are encoded without the source, unlike in Edit's own pipeline (see ``qwen_image_text``).
    """
    return cologen_flux().replace(name="cologen-qwen-image-edit", preset="qwen-image-edit")
