from pathlib import Path

import numpy as np
import pytest

from cologen.datagen.world.edits import EDIT_KINDS
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.benchmarks.procedural import drawn_edit, open_procedural
from cologen.evaluation.metric import Metric
from tests.evaluation.benchmarks import benchmark_laws as laws


def test_the_kinds_take_turns_and_everything_repeats() -> None:
    options = Options(size=64, limit=10, edits_seed=3)
    found = open_procedural(None, options)
    laws.check(found, open_procedural(None, options))
    assert [item.group for item in found.items] == [*EDIT_KINDS, *EDIT_KINDS]
    assert [item.item_id for item in found.items[:2]] == ["000000-recolor", "000001-add"]
    assert found.networks == {} and found.shareable


def test_an_item_depends_on_its_seed_and_place_alone() -> None:
    few, many = (open_procedural(None, Options(size=64, limit=limit)) for limit in (2, 7))
    assert list(few.items) == list(many.items[:2]) and many.items[-1] == many.items[6]
    assert open_procedural(None, Options(edits_seed=1, limit=1)).items[0].prompt != few.items[0].prompt
    assert len(open_procedural(None, Options()).items) == 500


def test_the_target_is_the_edit_and_the_region_what_it_changes() -> None:
    found = open_procedural(None, Options(size=96, limit=5))
    for place, item in enumerate(found.items):
        made, expected, question = drawn_edit(0, place), found.expected(item), found.question(item)
        assert (item.prompt, item.group) == (made.instruction, made.kind)
        assert expected.source is not None and expected.target is not None and expected.region is not None
        assert np.array_equal(expected.target, render(made.after, 96, 96).picture)
        assert np.array_equal(question.pictures[0], expected.source)
        changed = np.abs(expected.source.astype(int) - expected.target.astype(int)).sum(axis=2) > 0
        assert np.array_equal(expected.region, changed) and 0 < expected.region.mean() < 0.6
        assert (question.width, question.height) == (96, 96)


@pytest.mark.parametrize("place", range(5))
def test_the_right_answer_has_the_best_values_and_doing_nothing_keeps_everything(place: int) -> None:
    found = open_procedural(None, Options(size=64, limit=5))
    assert laws.oracle_values(found, place) == {
        metric.name: metric.best for metric in found.metrics if isinstance(metric, Metric)
    }
    idle = laws.identity_values(found, place)
    assert (idle["edit_accuracy"], idle["change_iou"], idle["preservation_accuracy"], idle["l1_outside"]) == (
        0,
        0,
        1,
        0,
    )
    assert (idle["delta_e_inside"] or 0) > 5 and (idle["l1_inside"] or 0) > 0.05


def test_its_scenes_are_of_no_training_set_of_that_seed() -> None:
    trained = {sample_scene(0, index).objects for index in range(20)}
    assert not {drawn_edit(0, index).before.objects for index in range(5)} & trained


def test_what_it_cannot_do_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="procedural is drawn and has no dataset"):
        open_procedural(tmp_path, Options())
    with pytest.raises(ValueError, match="size is 32 to 1024 pixels, got 2048"):
        open_procedural(None, Options(size=2048))
    with pytest.raises(ValueError, match="no option turns"):
        open_procedural(None, Options(turns="all"))
