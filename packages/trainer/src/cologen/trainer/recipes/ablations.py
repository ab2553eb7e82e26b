"""Ablations, as variants of a recipe: the rows of table 5, two of ours, and the curves of figure 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cologen.model.tasks import TASK_NAMES
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage


def staged(base: Recipe) -> Recipe:
    """Table 5, with R_c and R_l, the paper's own: all stages, one after the other."""
    return _variant(base, "staged", base.stages)


def concept_only(base: Recipe) -> Recipe:
    """Table 5, with R_c: concepts come from inpainting; grounding, which teaches localization, is left out."""
    return _without(base, "concept-only", "grounding")


def localization_only(base: Recipe) -> Recipe:
    """Table 5, with R_l: localization comes from grounding; inpainting, which teaches concepts, is left out."""
    return _without(base, "localization-only", "inpaint")


def neither(base: Recipe) -> Recipe:
    """Table 5, without R_l and R_c: no pre-training stage, the three later ones only."""
    return _without(base, "neither", "inpaint", "grounding")


def co_training(base: Recipe) -> Recipe:
    """Table 5, co-training (figure 1a): all tasks mixed in one stage, with as many samples and parameters as staged.

    Every task has the share of samples that its stage has, and the single expert has the rank of all stages' experts
    together; the paper does not say how it made the two comparable.
    """
    samples = {stage.task: stage.total_samples for stage in base.stages}
    total, last = base.total_samples, base.stages[-1]
    mixed = Stage(
        task="mixed",
        manifests={name: weight for stage in base.stages for name, weight in stage.manifests.items()},
        task_shares={task: samples[task] / total for task in TASK_NAMES if task in samples},
        iterations=round(total / last.global_batch),
        global_batch=last.global_batch,
        learning_rate=last.learning_rate,
        warmup_steps=last.warmup_steps,
        decay_share=last.decay_share,
        decay_form=last.decay_form,
        decay_floor=last.decay_floor,
        rho=1.0,
        alpha=0.0,
        new_expert=True,
    )
    return _variant(base, "co-training", (mixed,)).replace(rank=base.rank * len(base.stages))


def replay(base: Recipe) -> Recipe:
    """Not of the paper: staged, with a share 1 − ρ of each later stage's samples drawn from the tasks before it.

    So routers learn which sources the old experts know, while the newest is asked to take ρ of all choices. A stage
    whose ρ is 0 or 1 stays as it is.
    """
    stages = list(base.stages[:1])
    for number, stage in enumerate(base.stages[1:], start=1):
        before = base.stages[:number]
        share = (1 - stage.rho) / number
        if 0 < stage.rho < 1:
            stage = stage.replace(
                manifests={name: weight for each in (*before, stage) for name, weight in each.manifests.items()},
                task_shares={each.task: share for each in before} | {stage.task: stage.rho},
            )
        stages.append(stage)
    return _variant(base, "replay", tuple(stages))


def gated_replay(base: Recipe) -> Recipe:
    """Not of the paper: ``replay`` with a veteran gate for each task, which asks that all its samples take the expert
    of its stage in all blocks. The share ρ of the samples is of the new task, so U_t over all of them would be ρ.

    A stage whose α is 0 has no gate. With one gate for all tasks, ρ is met as well by a router that takes the newest
    expert in ρ of the blocks, whatever the task, and that is what it learns (docs/results.md).
    """
    replayed = replay(base)
    stages = [stage.replace(gate_per_task=bool(stage.task_shares and stage.alpha)) for stage in replayed.stages]
    return _variant(base, "gated-replay", tuple(stages))


ABLATIONS: Mapping[str, Callable[[Recipe], Recipe]] = {
    "staged": staged,
    "concept-only": concept_only,
    "localization-only": localization_only,
    "neither": neither,
    "co-training": co_training,
    "replay": replay,
    "gated-replay": gated_replay,
}
"""The rows of table 5, and two of ours behind them."""


def sweep_alpha(base: Recipe, values: Sequence[float] = (0.0, 0.1, 0.25, 0.5, 1.0)) -> tuple[Recipe, ...]:
    """Figure 4a: the weight α of the veteran gate loss in the last stage; the stages before are shared."""
    return tuple(_last_stage(base, f"alpha-{value:g}", {"alpha": value}) for value in values)


def sweep_rho(base: Recipe, values: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0)) -> tuple[Recipe, ...]:
    """Figure 4c: the routing density ρ in the last stage; the stages before are shared."""
    return tuple(_last_stage(base, f"rho-{value:g}", {"rho": value}) for value in values)


def sweep_rank(base: Recipe, factors: Sequence[float] = (0.25, 0.5, 1.0, 2.0)) -> tuple[Recipe, ...]:
    """Figure 4b: the experts' rank, as multiples of the recipe's. All experts of a model have one rank, so each value
    is a whole run, where the paper changes the last stage's."""
    ranks = [max(1, round(base.rank * factor)) for factor in factors]
    return tuple(_variant(base, f"rank-{rank}", base.stages).replace(rank=rank) for rank in ranks)


SWEEPS: Mapping[str, Callable[[Recipe], tuple[Recipe, ...]]] = {
    "alpha": sweep_alpha,
    "rank": sweep_rank,
    "rho": sweep_rho,
}
"""The curves of figure 4 (a, b, c)."""


def at_equal_compute(variant: Recipe, base: Recipe) -> Recipe:
    """The variant with longer stages, each by the same factor, so that it sees as many samples as ``base`` does.

    The paper does not say whether the rows of table 5 that lack a stage were given its time.
    """
    factor = base.total_samples / variant.total_samples
    stages = tuple(stage.replace(iterations=round(stage.iterations * factor)) for stage in variant.stages)
    return variant.replace(stages=stages)


def _without(base: Recipe, variant: str, *tasks: str) -> Recipe:
    """The recipe without these stages; the first that is left has one expert and no veterans, as stage 0 had."""
    first, *rest = (stage for stage in base.stages if stage.task not in tasks)
    return _variant(base, variant, (first.replace(rho=1.0, alpha=0.0), *rest))


def _last_stage(base: Recipe, variant: str, changed: Mapping[str, float]) -> Recipe:
    return _variant(base, variant, (*base.stages[:-1], base.stages[-1].replace(**changed)))


def _variant(base: Recipe, variant: str, stages: tuple[Stage, ...]) -> Recipe:
    return base.replace(name=f"{base.name}-{variant}", stages=stages)
