"""Parts cut a source into contiguous slices: nothing twice, nothing left out."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cologen.datagen.engine.parts import DatasetRecipe, Part


def recipe(num_images: int, part_size: int) -> DatasetRecipe:
    return DatasetRecipe(name="coco", split="train", num_images=num_images, part_size=part_size, fingerprint="f")


@given(st.integers(1, 5000), st.integers(1, 700))
def test_parts_cover_every_picture_once(num_images: int, part_size: int):
    source = recipe(num_images, part_size)
    parts = [source.part(index) for index in range(source.num_parts)]
    assert [part.index for part in parts] == list(range(source.num_parts))
    assert (parts[0].start, parts[-1].stop) == (0, num_images)
    assert all(before.stop == after.start for before, after in pairwise(parts))
    assert all(part.stop - part.start == part_size for part in parts[:-1])
    assert 0 < parts[-1].stop - parts[-1].start <= part_size


def test_the_last_part_may_be_shorter():
    assert recipe(1000, 512).num_parts == 2
    assert recipe(1000, 512).part(1) == Part(1, 512, 1000)


@pytest.mark.parametrize(("num_images", "part_size"), [(0, 1), (-1, 1), (1, 0)])
def test_empty_sources_and_parts_are_refused(num_images: int, part_size: int):
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        recipe(num_images, part_size)


def test_a_recipe_is_a_value_that_survives_json():
    source = recipe(10, 3)
    assert DatasetRecipe.model_validate_json(source.model_dump_json()) == source
    assert hash(source) == hash(recipe(10, 3)) != hash(recipe(10, 4))
    with pytest.raises(ValidationError, match="frozen"):
        source.num_images = 11
    with pytest.raises(ValidationError, match="Extra inputs"):
        DatasetRecipe.model_validate(source.model_dump() | {"shuffle": True})
