"""Which changes of a recipe a run takes: by their effect, and by the stages that were begun."""

from pathlib import Path

import pytest

from cologen.trainer.changes import CHANGES, Change, another_run, changes, differences, record, recorded, refused
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.effects import Effect
from cologen.trainer.recipes.overrides import overridden

WORLD = load_recipe("world")


def between(after: Recipe, *, finished: int = 0, begun: int = 1) -> list[Change]:
    return changes(WORLD.model_dump(mode="json"), after.model_dump(mode="json"), finished=finished, begun=begun)


def changed(*overrides: str, finished: int = 0, begun: int = 1, remedies: bool = False) -> tuple[list[str], list[str]]:
    """What is found, and what of it is refused."""
    found = between(load_recipe("world", overrides), finished=finished, begun=begun)
    return [str(each) for each in found], [each.field for each in refused(found, remedies=remedies)]


def test_nothing_changed():
    assert changed() == ([], [])


def test_what_only_decides_how_a_run_is_computed_and_saved_may_change():
    free = ["log_every=50", "micro_batch=4", "checkpoint_every=7", "compile=true", "keep_last=9", "max_nonfinite=99"]
    found, wrong = changed(*free, begun=5)
    assert len(found) == 6
    assert not wrong
    assert "micro_batch: 32 became 4" in found


@pytest.mark.parametrize(
    "one", ["seed=7", "ema_decay=0.5", "rank=8", "optimizer.weight_decay=0.5", "resolution.side=64"]
)
def test_what_decides_the_numbers_may_not(one: str):
    assert changed(one, begun=0)[1] == [one.partition("=")[0]]


def test_the_stage_at_hand_and_those_before_stay_and_later_ones_are_free():
    for task in ("inpaint", "grounding"):
        assert changed(f"stages.{task}.global_batch=64", finished=1, begun=2)[1] == [f"stages.{task}.global_batch"]
    assert changed("stages.control.global_batch=64", finished=1, begun=2)[1] == []


def test_what_a_message_advises_may_change_after_it_in_the_stage_at_hand():
    advised = ["clip=0.1", "stages.grounding.learning_rate=1e-4"]
    assert changed(*advised, finished=1, begun=2)[1] == ["clip", "stages.grounding.learning_rate"]
    assert changed(*advised, finished=1, begun=2, remedies=True)[1] == []
    assert changed("stages.inpaint.learning_rate=1e-4", finished=1, begun=2, remedies=True)[1] != []


def test_stages_that_were_not_begun_may_be_left_out_and_added():
    found, wrong = changed("stages.editing=none", "stages.grounding=none", begun=1)
    assert "stages.4: editing became nothing" in found
    assert not wrong
    assert changed("stages.grounding=none", begun=2)[1] == ["stages.1"]
    shorter = WORLD.replace(stages=WORLD.stages[:3])
    longer = changes(shorter.model_dump(mode="json"), WORLD.model_dump(mode="json"), finished=2, begun=3)
    assert [str(each) for each in longer] == ["stages.3: nothing became customized", "stages.4: nothing became editing"]
    assert not refused(longer, remedies=False)


def test_a_field_that_an_older_version_did_not_know_is_taken_by_its_effect():
    before = WORLD.model_dump(mode="json")
    del before["log_every"], before["seed"]
    found = changes(before, WORLD.model_dump(mode="json"), finished=0, begun=1)
    assert {each.field: each.effect for each in found} == {"log_every": Effect.FREE, "seed": Effect.NUMBERS}


def test_a_refusal_names_what_is_wrong_and_what_is_not(tmp_path: Path):
    found = between(load_recipe("world", ["seed=7", "log_every=50"]))
    error = str(another_run("another recipe", tmp_path, refused(found, remedies=False), found))
    assert error.splitlines()[:4] == [
        "another recipe:",
        "  seed: 0 became 7",
        "What may change, and did:",
        "  log_every: 5 became 50",
    ]
    assert f"--from {tmp_path}" in error


def test_changes_are_recorded_one_after_the_other(tmp_path: Path):
    record(tmp_path, [], None)
    assert not (tmp_path / CHANGES).exists()
    for step, field in enumerate(("log_every", "clip")):
        record(tmp_path, [Change(field, 1, 2, Effect.FREE)], f"0-inpaint-{step:08d}")
    assert recorded(tmp_path) == {"log_every", "clip"}
    assert (
        '"checkpoint": "0-inpaint-00000001", "field": "clip", "before": 1, "after": 2'
        in (tmp_path / CHANGES).read_text()
    )


@pytest.mark.parametrize(
    ("override", "branches"), [("rank=8", False), ("stages.inpaint.rho=0.5", False), ("seed=7", True)]
)
def test_no_branch_is_advised_where_none_can_be_made(override: str, branches: bool):
    found = between(load_recipe("world", [override]), finished=1, begun=2)
    said = str(another_run("it holds another", Path("runs/world"), refused(found, remedies=False), found))
    assert ("--from runs/world --out NEW" in said) == branches
    assert said.endswith("or start over with --fresh.")


def test_what_changed_is_named_field_by_field():
    changed = overridden(WORLD, ["seed=1", "stages.control.learning_rate=5e-5"])
    assert differences(WORLD, changed) == ["seed: 0 became 1", "stages.control.learning_rate: 0.02 became 5e-05"]
    assert differences(WORLD, WORLD.model_dump(mode="json")) == []
    shorter = WORLD.replace(stages=WORLD.stages[:4])
    assert "stages.editing.rho: 0.8 became nothing" in differences(WORLD, shorter)
