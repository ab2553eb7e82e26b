"""The pass of customized generation and of editing: one row per pair that passes the filters, each looked at alone.

A part sees its own pairs alone. Rows carry the hashes of both pictures, by which ``distinct`` finds repetitions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import ceil, floor
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen import images
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.faults import attempt
from cologen.datagen.images import Picture
from cologen.datagen.images.glance import REDUCTION, glance
from cologen.datagen.manifest import PartContent
from cologen.datagen.manifest.schemas import MORE_SOURCES
from cologen.datagen.pair_records import Pair
from cologen.datagen.pairs.filters import PairPolicy, check_change, check_scores, check_sizes
from cologen.datagen.pairs.likeness import Likeness, likeness
from cologen.datagen.passes.reading import Reader, image_key, read_items
from cologen.datagen.passes.rows import common_columns
from cologen.datagen.randomness import generator
from cologen.datagen.records import Box, Reason, RejectedError, Rejection

PairTask = Literal["customized", "editing"]
"""The tasks whose datasets are pairs of pictures."""

UNNAMED = "unnamed"
"""The edit type of datasets that name none."""

_DIRECTIONS = ("forth", "back")
_Look = Callable[[str], Picture]


class PairRecipe(BaseModel):
    """All that decides the rows of a manifest of pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    task: PairTask
    source: DatasetRecipe
    seed: int = Field(default=0, ge=0)
    policy: PairPolicy = PairPolicy()

    @property
    def mix_asked(self) -> dict[str, float]:
        """The share asked of each direction; of edit types there is none."""
        return {name: 1 / len(_DIRECTIONS) for name in _DIRECTIONS} if self.task == "customized" else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPass(Pass):
    """The pairs of ``reader`` that pass the recipe's filters."""

    recipe: PairRecipe
    reader: Reader[Pair]

    def open(self) -> Callable[[Part], PartContent]:
        """Reads, filters and words the pairs of a part."""
        dataset = self.reader.open()
        # Both pictures of a pair may be in one image, and a turn begins with what the turn before it left.
        look = lru_cache(maxsize=2)(partial(look_at, self.reader.root))
        return lambda part: PartContent.of(
            self.recipe.task, *select(self.recipe, *read_items(dataset, part), look, part.skip_unreadable)
        )


def select(
    recipe: PairRecipe, pairs: list[Pair], rejections: list[Rejection], look: _Look, skip_unreadable: bool = False
) -> tuple[list[dict[str, Any]], list[Rejection]]:
    """The rows of these pairs, and all rejections; ``rejections`` are earlier ones, passed on."""
    rows, rejections = list[dict[str, Any]](), list(rejections)
    for pair in pairs:
        sample_id = f"{image_key(recipe.source.name, pair.pair_id)}#0"
        row = attempt(partial(_selected, recipe, sample_id, pair, look), skip_unreadable=skip_unreadable)
        if isinstance(row, RejectedError):
            rejections.append(row.of(sample_id, "pairs"))
        else:
            rows.append(row)
    return rows, rejections


def _selected(recipe: PairRecipe, sample_id: str, pair: Pair, look: _Look) -> dict[str, Any]:
    source, target = _checked(pair, recipe.policy, look)
    return _row(recipe, sample_id, pair, source.hash, target.hash)


def look_at(root: Path, uri: str) -> Picture:
    """A glance at a picture, whatever its size.

    Raises:
        RejectedError: as ``glance``.
    """
    return glance(root, uri, images.probe(root, uri))


def cropped_likeness(small: Picture, box: Box | None) -> Likeness:
    """Perceptual hash of a crop: of what a glance shows of a box, whose coordinates are those of the whole picture; of
    all of it without one."""
    if box is None:
        return likeness(small)
    left, top = (ceil(side / REDUCTION) for side in (box.x0, box.y0))
    right, bottom = (floor(side / REDUCTION) for side in (box.x1, box.y1))
    return likeness(small[top:bottom, left:right])


def _checked(pair: Pair, policy: PairPolicy, look: _Look) -> tuple[Likeness, Likeness]:
    """Source and target of a pair that passes; its further sources only have to be readable."""
    check_scores(pair.scores, policy)
    check_sizes(pair, policy)
    source = cropped_likeness(look(pair.source_uri), pair.source_box)
    target = cropped_likeness(look(pair.target_uri), pair.target_box)
    check_change(source, target, policy)
    if pair.target_uri in pair.more_source_uris:
        raise RejectedError(Reason.IDENTICAL_PAIR, "a further source is the target's picture")
    for uri in pair.more_source_uris:
        look(uri)
    return source, target


def _row(recipe: PairRecipe, sample_id: str, pair: Pair, source_hash: int, target_hash: int) -> dict[str, Any]:
    words = pair.instructions[int(generator(recipe.seed, sample_id, "phrasing").integers(len(pair.instructions)))]
    row: dict[str, Any] = common_columns(recipe, sample_id, pair, words) | {
        "source_uri": pair.source_uri,
        "target_uri": pair.target_uri,
        "source_box": pair.source_box and pair.source_box.xyxy(),
        "target_box": pair.target_box and pair.target_box.xyxy(),
        "source_hash": source_hash,
        "target_hash": target_hash,
        "instruction": words,
        "scores": [{"name": name, "value": value} for name, value in pair.scores],
        MORE_SOURCES.name: pair.more_source_uris,
    }
    if recipe.task == "editing":
        return row | {"edit_type": pair.edit_type or UNNAMED}
    return row | {"subject": pair.subject, "direction": direction_of(row["source_box"], row["target_box"])}


def direction_of(source_box: Sequence[float] | None, target_box: Sequence[float] | None) -> str:
    """Forth from the left picture of an image to its right one."""
    backwards = source_box and target_box and source_box[0] > target_box[0]
    return _DIRECTIONS[bool(backwards)]
