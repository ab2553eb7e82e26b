"""An edit changes the object it names as it says, and nothing else, to the last bit."""

import numpy as np
import pytest

from cologen.datagen.world.directions import PLACES
from cologen.datagen.world.edits import EDIT_KINDS, Edit, EditKind, edit, sample_edit
from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.referring import referring_phrases
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene, is_clear, sample_scene
from cologen.datagen.world.surfaces import reach
from cologen.datagen.world.vocabulary import GROUNDS

Edits = dict[EditKind, list[Edit]]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene(10, index) for index in range(50)]


@pytest.fixture(scope="module")
def edits(scenes: list[Scene]) -> Edits:
    return {kind: [found for scene in scenes if (found := edit(scene, kind, 1))] for kind in EDIT_KINDS}


def test_the_same_scene_and_seed_give_the_same_edit(scenes: list[Scene]):
    assert sample_edit(scenes[0], 3) == sample_edit(scenes[0], 3)
    assert len({sample_edit(scenes[0], seed).instruction for seed in range(10)}) > 5


def test_every_kind_is_sampled(scenes: list[Scene]):
    assert {sample_edit(scene, 0).kind for scene in scenes} == set(EDIT_KINDS)


@pytest.mark.parametrize("kind", EDIT_KINDS)
class TestEveryKind:
    def test_is_possible_in_most_scenes(self, kind: EditKind, scenes: list[Scene], edits: Edits):
        assert len(edits[kind]) > 0.75 * len(scenes)
        assert {found.kind for found in edits[kind]} == {kind}

    def test_keeps_scene_and_other_objects(self, kind: EditKind, edits: Edits):
        for found in edits[kind]:
            before, after = found.before, found.after
            assert (after.seed, after.key, after.ground) == (before.seed, before.key, before.ground)
            assert _others(found, before.objects, kind == "add") == _others(found, after.objects, kind == "remove")

    def test_leaves_everything_clear(self, kind: EditKind, edits: Edits):
        for found in edits[kind]:
            assert is_clear(found.after.objects, "rich")
            hidden = GROUNDS[found.after.ground].camouflages
            assert not {thing.color for thing in found.after.objects} & hidden

    def test_changes_no_pixel_out_of_the_object_s_reach(self, kind: EditKind, edits: Edits):
        for found in edits[kind][:25]:
            before, after = (render(scene, 96, 96) for scene in (found.before, found.after))
            touched = np.zeros((96, 96), dtype=bool)
            for thing in set(found.before.objects) ^ set(found.after.objects):
                touched |= reach(thing, 96, 96) == 1
            assert np.array_equal(before.picture[~touched], after.picture[~touched])
            assert not np.array_equal(before.picture, after.picture)
            assert np.array_equal(before.depth[~touched], after.depth[~touched])

    def test_instructions_vary_and_are_sentences(self, kind: EditKind, edits: Edits):
        instructions = [found.instruction for found in edits[kind]]
        assert len({instruction.split()[0] for instruction in instructions}) >= 2
        assert all(text[0].isupper() and text.endswith(".") and "{" not in text for text in instructions)


def _others(found: Edit, objects: tuple[object, ...], complete: bool) -> tuple[object, ...]:
    return objects if complete else objects[: found.index] + objects[found.index + 1 :]


@pytest.mark.parametrize("kind", ["recolor", "remove", "replace", "move"])
def test_the_object_is_named_so_that_no_other_is_meant(kind: EditKind, edits: Edits):
    for found in edits[kind]:
        assert any(phrase in found.instruction for phrase in referring_phrases(found.before, found.index))


def test_recolor_changes_only_the_color_and_says_it(edits: Edits):
    for found in edits["recolor"]:
        old, new = found.before.objects[found.index], found.after.objects[found.index]
        assert old.color != new.color
        assert new.color in found.instruction
        assert (old.shape, old.texture, old.grain, old.x, old.y) == (new.shape, new.texture, new.grain, new.x, new.y)


def test_replace_puts_another_shape_in_the_same_place(edits: Edits):
    for found in edits["replace"]:
        old, new = found.before.objects[found.index], found.after.objects[found.index]
        assert old.shape != new.shape
        assert f"{new.color} {new.shape}" in found.instruction
        assert (old.x, old.y, old.depth, old.scale) == (new.x, new.y, new.depth, new.scale)


def test_a_moved_object_is_where_the_words_say_and_was_not_before(edits: Edits):
    for found in edits["move"]:
        old, new = found.before.objects[found.index], found.after.objects[found.index]
        assert max(abs(old.x - new.x), abs(old.y - new.y)) >= 0.2
        for place in PLACES.values():
            if found.instruction.endswith(f"is {place.phrases[0]}."):
                assert place.degree(new) > 0 >= place.degree(old)


def test_an_added_object_is_in_front(edits: Edits):
    for found in edits["add"]:
        assert found.index == len(found.before.objects) == len(found.after.objects) - 1
        assert found.after.objects[found.index].depth < min(thing.depth for thing in found.before.objects)


def test_what_is_impossible_is_none(scenes: list[Scene]):
    alone = next(scene for scene in scenes if len(scene.objects) == 1)
    full = next(scene for scene in scenes if len(scene.objects) == LEVELS["rich"].max_objects)
    assert edit(alone, "remove", 0) is None
    assert edit(full, "add", 0) is None
