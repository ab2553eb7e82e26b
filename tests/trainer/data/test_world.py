"""Complete manifests stay, and names that the synthetic dataset does not have are reported before work begins."""

import json
from pathlib import Path

import pytest

from cologen.datagen.world.formats import WORLD_VERSION
from cologen.datagen.world.formats.ensuring import MARKER
from cologen.model.tasks import TASK_NAMES
from cologen.trainer.data.world import HELD_OUT_TASKS, TASKS, WORLD, ensure_manifests, is_of_world
from cologen.trainer.recipes.world import WORLD_HELD_OUT, WORLD_MANIFESTS


def test_all_manifests_of_the_world_s_recipes_can_be_made():
    assert set(TASKS) == {name for names in WORLD_MANIFESTS.values() for name in names}
    assert set(TASKS.values()) == set(TASK_NAMES)


def test_what_is_whole_is_left_alone(data: Path):
    told = list[str]()
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    ensure_manifests(data, [*TASKS, *HELD_OUT_TASKS], WORLD, told.append)
    assert told == []
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_what_was_built_from_an_older_version_stays_and_is_named(data: Path, tmp_path: Path):
    """As its words differ from those that the benchmarks ask."""
    for name in ("editing-triplets", "customized-subjects200k"):
        (tmp_path / name).symlink_to(data / name)
        marker = tmp_path / "world" / f"{name.partition('-')[2]}-{WORLD.name}" / MARKER
        marker.parent.mkdir(parents=True)
        marker.write_text(json.dumps({"version": WORLD_VERSION - name.startswith("customized")}))
    told = list[str]()
    ensure_manifests(tmp_path, ["editing-triplets", "customized-subjects200k"], WORLD, told.append)
    (line,) = told
    assert line.startswith("customized-subjects200k in ") and "older version" in line and "Remove" in line


def test_other_names_have_to_be_built(tmp_path: Path):
    told = list[str]()
    with pytest.raises(
        ValueError, match="has no manifest inpaint-journeydb, and the synthetic dataset gives none of that name"
    ):
        ensure_manifests(tmp_path, ["inpaint-cocostuff", "inpaint-journeydb"], WORLD, told.append)
    assert told == [] and not list(tmp_path.iterdir())


def test_each_of_them_has_one_of_the_validation_split():
    assert set(HELD_OUT_TASKS) == {name for names in WORLD_HELD_OUT.values() for name in names}
    assert {f"{name}-val": task for name, task in TASKS.items()} == HELD_OUT_TASKS
    assert is_of_world("editing-triplets-val")
    assert not is_of_world("editing-omniedit-val")
