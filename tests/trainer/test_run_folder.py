from pathlib import Path

import pytest

from cologen.trainer.recipes import load_recipe
from cologen.trainer.run_folder import (
    begin,
    finish_stage,
    finished_stages,
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
    with pytest.raises(ValueError, match=r"(?s)seed: 0 became 7.*stages.control.learning_rate: 0.005 became 5e-05"):
        begin(tmp_path / "run", other, resume=True, fresh=False)
    begin(tmp_path / "run", other, resume=False, fresh=True)


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
