"""The columns that the rows of every task have."""

from __future__ import annotations

from typing import Any

from cologen.datagen.engine.jobs import PassRecipe
from cologen.datagen.pair_records import Condition, Pair
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import Image


def common_columns(recipe: PassRecipe, sample_id: str, item: Image | Condition | Pair, caption: str) -> dict[str, Any]:
    """The columns of ``item``'s row that do not depend on the task."""
    return {
        "sample_id": sample_id,
        "task": recipe.task,
        "source": recipe.source.name,
        "split": item.split,
        "image_uri": item.target_uri if isinstance(item, Pair) else item.image_uri,
        "width": item.width,
        "height": item.height,
        "caption": caption,
        "seed": derived_seed(recipe.seed, sample_id),
    }
