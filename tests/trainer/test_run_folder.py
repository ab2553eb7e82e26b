import os
from pathlib import Path

import pytest

from cologen.trainer.changes import recorded
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.overrides import read_recipe
from cologen.trainer.run_folder import (
    begin,
    finish_stage,
    finished_stages,
    held,
    stages_to_train,
    stand_on,
    where_to_go_on,
)

WORLD = load_recipe("world")


def test_a_folder_with_a_run_is_not_entered_unasked(tmp_path: Path) -> None:
    begin(tmp_path / "run", WORLD, resume=False, fresh=False)
    with pytest.raises(ValueError, match="--resume goes on with it, --fresh starts over"):
        begin(tmp_path / "run", WORLD, resume=False, fresh=False)
    begin(tmp_path / "run", WORLD, resume=True, fresh=False)


def test_another_recipe_is_refused_field_by_field(tmp_path: Path) -> None:
    begin(tmp_path / "run", WORLD, resume=False, fresh=False)
    other = load_recipe("world", ["stages.control.learning_rate=5e-5", "seed=7"])
    with pytest.raises(ValueError, match=r"(?s)seed: 0 became 7.*stages.control.learning_rate: 0.02 became 5e-05"):
        begin(tmp_path / "run", other, resume=True, fresh=False)
    begin(tmp_path / "run", other, resume=False, fresh=True)


def test_a_change_that_is_taken_is_written_down(tmp_path: Path) -> None:
    begin(tmp_path, WORLD, resume=False, fresh=False)
    other = load_recipe("world", ["log_every=7", "stages.editing=none"])
    for expected in (["log_every: 5 became 7", "stages.4: editing became nothing"], []):
        assert [str(each) for each in begin(tmp_path, other, resume=True, fresh=False)] == expected
    assert recorded(tmp_path) == {"log_every", "stages.4"}
    assert read_recipe(tmp_path / "recipe.json") == other


def test_the_next_stage_is_entered_by_its_name(tmp_path: Path) -> None:
    """``train --stage 0``, then ``train --stage 1``: nothing is there to resume."""
    begin(tmp_path, WORLD, resume=False, fresh=False, stage="0")
    finish_stage(tmp_path, 0)
    assert begin(tmp_path, WORLD, resume=False, fresh=False, stage="grounding") == []
    with pytest.raises(ValueError, match="--resume goes on with it"):
        begin(tmp_path, WORLD, resume=False, fresh=False, stage="0")
    (tmp_path / "checkpoints" / "1-grounding-00000050").mkdir(parents=True)
    with pytest.raises(ValueError, match="--resume goes on with it"):
        begin(tmp_path, WORLD, resume=False, fresh=False, stage="1")


@pytest.mark.parametrize("name", ["recipe.json", "finished.json", "base.json"])
def test_a_damaged_file_of_a_run_is_named_and_never_believed(tmp_path: Path, name: str) -> None:
    begin(tmp_path, WORLD, resume=False, fresh=False)
    stand_on(tmp_path, "one")
    finish_stage(tmp_path, 0)
    path = tmp_path / name
    whole = path.read_bytes()

    def enter() -> None:
        assert begin(tmp_path, WORLD, resume=True, fresh=False) == []
        stand_on(tmp_path, "one")
        assert stages_to_train(tmp_path, WORLD, None) == [1, 2, 3, 4]

    enter()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            enter()
        except ValueError as error:
            assert str(path) in str(error)
        path.write_bytes(whole)


def test_what_belongs_to_others_stays(tmp_path: Path) -> None:
    """Above a run's folder, below it, and beside what it writes, whatever the names look like."""
    run = tmp_path / "run"
    begin(run, WORLD, resume=False, fresh=False)
    others = [
        run / "checkpoints" / ".0-inpaint-00000006.0123abcd",  # being written by a run, seen from the folder above
        tmp_path / ".report.html.0123abcd",  # in no run's folder
    ]
    others[0].mkdir(parents=True)
    others[1].touch()
    with held(tmp_path):
        assert all(path.exists() for path in others)
    mine = [run / ".holiday.12345678", run / "photos" / ".report.html.12345678", run / "adapter" / ".x.12345678"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with held(run):
        assert all(path.exists() for path in mine)
        assert not others[0].exists()


def test_a_folder_is_held_by_one_process_and_what_a_killed_one_left_is_swept(tmp_path: Path) -> None:
    begin(tmp_path, WORLD, resume=False, fresh=False)
    left = [tmp_path / "checkpoints" / ".0-inpaint-00000006.0123abcd", tmp_path / ".report.html.0123abcd"]
    left[0].mkdir(parents=True)
    (left[0] / "state.json").touch()
    left[1].touch()
    (tmp_path / "checkpoints" / "0-inpaint-00000004").mkdir()
    with held(tmp_path):
        assert not any(path.exists() for path in left)
        assert (tmp_path / "checkpoints" / "0-inpaint-00000004").is_dir()
        with pytest.raises(ValueError, match=rf"training in {tmp_path}: .*\"pid\": {os.getpid()}"), held(tmp_path):
            pass
        begin(tmp_path, WORLD, resume=False, fresh=True)
        with pytest.raises(ValueError, match="another process is training"), held(tmp_path):
            pass
    with held(tmp_path):
        pass


def test_starting_over_deletes_a_run_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    begin(tmp_path / "photos", WORLD, resume=False, fresh=True)
    assert (tmp_path / "photos" / "cat.jpg").exists()
    begin(tmp_path / "photos" / "run", WORLD, resume=False, fresh=False)
    finish_stage(tmp_path / "photos" / "run", 0)
    begin(tmp_path / "photos" / "run", WORLD, resume=False, fresh=True)
    assert not finished_stages(tmp_path / "photos" / "run")


def test_stages_follow_one_another(tmp_path: Path) -> None:
    assert stages_to_train(tmp_path, WORLD, None) == [0, 1, 2, 3, 4]
    with pytest.raises(FileNotFoundError, match=r"stage 1 \(grounding\) stands on stage 0 \(inpaint\)"):
        stages_to_train(tmp_path, WORLD, "grounding")
    finish_stage(tmp_path, 0)
    assert stages_to_train(tmp_path, WORLD, "1") == stages_to_train(tmp_path, WORLD, "grounding") == [1]
    assert stages_to_train(tmp_path, WORLD, None) == [1, 2, 3, 4]
    assert stages_to_train(tmp_path, WORLD, "inpaint") == []
    assert where_to_go_on(tmp_path, 1) is None
    with pytest.raises(ValueError, match="has no stage paint"):
        stages_to_train(tmp_path, WORLD, "paint")


def test_a_run_stays_on_its_base(tmp_path: Path) -> None:
    stand_on(tmp_path, "one")
    stand_on(tmp_path, "one")
    with pytest.raises(ValueError, match="experts of another base than this one: give the same --base"):
        stand_on(tmp_path, "two")
