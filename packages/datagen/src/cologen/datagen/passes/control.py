"""The pass of controllable generation, stage 2 of the curriculum: one row per picture, each with one condition.

A row names the condition, not its pixels: thresholds of Canny, the address of a map, or the extractor to be run online.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.control.alignment import stretch
from cologen.datagen.control.mixture import deal
from cologen.datagen.control.policy import ANYWHERE, ONLINE, ControlPolicy
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.faults import attempt
from cologen.datagen.manifest import PartContent
from cologen.datagen.manifest.schemas import Task
from cologen.datagen.pair_records import Condition, ConditionKind
from cologen.datagen.passes.map_networks import MapsRecipe, MapWeights
from cologen.datagen.passes.reading import Reader, image_key, read_items
from cologen.datagen.passes.rows import common_columns
from cologen.datagen.records import Reason, RejectedError, Rejection


class ControlRecipe(BaseModel):
    """Everything that decides the rows of a control manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: DatasetRecipe
    seed: int = Field(default=0, ge=0)
    policy: ControlPolicy = ControlPolicy()
    maps: MapsRecipe = MapsRecipe()
    """The networks that precompute maps."""

    @property
    def task(self) -> Task:
        """The task of its rows."""
        return "control"

    @property
    def mix_asked(self) -> dict[str, float]:
        """The share asked of each condition."""
        return {str(kind): share for kind, share in self.policy.mix.shares().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPass(Pass):
    """Conditions for the pictures of ``reader``; ``weights`` are those of the recipe's networks."""

    recipe: ControlRecipe
    reader: Reader[Condition]
    weights: MapWeights = MapWeights()

    def open(self) -> Callable[[Part], PartContent]:
        """Assigns the conditions of a part; the weights are loaded here, where there are some."""
        dataset = self.reader.open()
        if not self.recipe.maps.kinds:
            return lambda part: PartContent.of("control", *control(self.recipe, part, *read_items(dataset, part)))
        # Here and not above: torch takes seconds to import, and rows alone need none of it.
        from cologen.datagen.passes.drawing_maps import MapDrawer

        drawer = MapDrawer(self.weights, self.recipe.maps.batch_size)

        def work(part: Part) -> PartContent:
            rows, rejections = control(self.recipe, part, *read_items(dataset, part))
            rows, refused = drawer.draw(rows, self.reader.root, self.folder, part.index, part.skip_unreadable)
            return PartContent.of("control", rows, [*rejections, *refused])

        return work


def control(
    recipe: ControlRecipe, part: Part, conditions: list[Condition], rejections: list[Rejection]
) -> tuple[list[dict[str, Any]], list[Rejection]]:
    """The rows of these conditions, and all rejections; ``rejections`` are earlier ones, passed on.

    A row that still waits for a network's map is the same as without that network.
    """
    samples = {f"{image_key(recipe.source.name, one.condition_id)}#0": one for one in conditions}
    kinds = {sample_id: attempt(partial(_kinds, one, recipe)) for sample_id, one in samples.items()}
    able = {sample_id: found for sample_id, found in kinds.items() if not isinstance(found, RejectedError)}
    dealt = deal(able, recipe.policy.mix, recipe.seed, part.start)
    rows, rejections = list[dict[str, Any]](), list(rejections)
    for sample_id, found in kinds.items():
        make = partial(_sample, recipe, sample_id, samples[sample_id])
        row = found if isinstance(found, RejectedError) else attempt(partial(make, found, dealt.get(sample_id)))
        if isinstance(row, RejectedError):
            rejections.append(row.of(sample_id, "control"))
        else:
            rows.append(row)
    return rows, rejections


def _kinds(condition: Condition, recipe: ControlRecipe) -> frozenset[ConditionKind]:
    """What this picture can be a sample of.

    Raises:
        RejectedError: the dataset has a map of it that a row may use, of other proportions.
    """
    size = None if condition.kind in ANYWHERE else condition.condition_size
    picture = (condition.width, condition.height)
    if size is not None and stretch(picture, size) > recipe.policy.max_stretch:
        raise RejectedError(Reason.SIZE_MISMATCH, f"condition {size}, picture {picture}: other proportions")
    own: frozenset[ConditionKind] = frozenset([condition.kind] if condition.kind else [])
    return ANYWHERE | own | recipe.maps.kinds


def _sample(
    recipe: ControlRecipe,
    sample_id: str,
    condition: Condition,
    kinds: frozenset[ConditionKind],
    dealt: ConditionKind | None,
) -> dict[str, Any]:
    if dealt is None:
        raise RejectedError(Reason.NO_CONDITION, f"fit for {', '.join(sorted(kinds))} only, whose share is full")
    return _row(recipe, sample_id, condition, dealt)


def _row(recipe: ControlRecipe, sample_id: str, condition: Condition, kind: ConditionKind) -> dict[str, Any]:
    # Canny, HED and lineart are made of the picture, even where the dataset has them too.
    own = condition if kind == condition.kind and kind not in ANYWHERE else None
    width, height = (own and own.condition_size) or (None, None)
    drawn = recipe.policy.thresholds.draw(recipe.seed, sample_id) if kind == "canny" else None
    return common_columns(recipe, sample_id, condition, condition.prompt) | {
        "condition": kind,
        "condition_uri": own and own.condition_uri,
        "condition_width": width,
        "condition_height": height,
        "online": kind in ONLINE,
        "canny_low": drawn and drawn.low,
        "canny_high": drawn and drawn.high,
        "map_hash": None,
    }
