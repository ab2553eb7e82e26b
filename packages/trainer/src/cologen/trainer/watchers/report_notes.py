"""What the curves of a run's report mean: a few sentences under those of each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from cologen.reports.page import joined
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.decay import DecayForm
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.watchers.metrics import HeldOutMetrics


def notes(
    recipe: Recipe, number: int, validations: Sequence[HeldOutMetrics], *, with_maps: bool, with_times: bool
) -> Markup:
    """Of the curves that the stage has, each in a paragraph of its own."""
    stage, found = recipe.stages[number], [_LOSS, *([_TIMES] if with_times else [])]
    if any(task not in stage.own_tasks for each in validations for task in each.per_task):
        found.append(_EARLIER)
    if stage.decay_share:
        found.append(_DECAY.format(100 * stage.decay_share, floor=_floor(stage), form=_FORMS[stage.decay_form]))
    if stage.new_expert and stage.alpha and recipe.num_experts(number) > 1:
        found.append(_GATE.format(bias=stage.newcomer_bias, steps=stage.warmup_steps, rho=stage.gate_rho))
    if with_maps:
        found.append(_MAP)
    return joined([Markup("<p><small>{}</small></p>").format(each) for each in found])


def _floor(stage: Stage) -> str:
    return f"{100 * stage.decay_floor:.3g} %" if stage.decay_floor else "0"


_FORMS: Mapping[DecayForm, str] = {"cosine": "half a cosine", "linear": "a line", "1-sqrt": "1 − √x"}
_LOSS = Markup(
    "L_task is the squared error of the predicted velocity. It stays above 0: near t = 1 the picture is not yet "
    "decided, near t = 0 its grain cannot be told from noise, and no model knows either. It scatters, since each step "
    "draws its own times and noise; the held-out loss, where there is one, is always taken at the same. It falls fast "
    "while the stage learns what of the source to carry over, and slowly while it learns what to change."
)
_TIMES = Markup(
    "By the flow time t: each sample's loss counts in the interval that its own t fell into. Intervals with few "
    "samples scatter more."
)
_EARLIER = Markup(
    "A curve of a task learned before shows what this stage does to it: where it rises, the task is being forgotten."
)
_DECAY = Markup(
    "In the last {:.3g} % of the steps the learning rate falls to {floor}, along {form}: losses scatter less there, "
    "and often fall once more."
)
_GATE = Markup(
    "U_t (eq. 8) is the share of choices that the newest expert gets; each block chooses for each sample. The gate's "
    "loss is 0 at ρ and pulls it there from both sides with the same strength, so U_t scatters around ρ, and the loss "
    "with it. L_task can rise at first. The new expert adds nothing to the base until it has learned, and the bias of "
    "{bias:g} that keeps the gate from it goes to 0 over {steps:,} steps. The veteran gate loss then moves the gate to "
    "it until U_t is ρ = {rho:g}, so the source loses the residuals of the experts before; L_task falls as the new "
    "expert replaces them."
)
_MAP = Markup(
    "Routing: a column for each block, with a line behind those of two streams, and a row for each expert; the darker, "
    "the more of the last samples of the task chose it there. On the right, its share over all blocks."
)
