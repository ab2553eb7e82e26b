"""Scenes and their pictures, shared by the tests of measures; and the mean of values that may be None."""

from collections.abc import Iterable

from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene, sample_scene
from cologen.evaluation.records import Picture

SIDES: dict[LevelName, int] = {"simple": 32, "usual": 64, "rich": 128}


def scenes(level: LevelName, num: int, seed: int = 50) -> list[Scene]:
    return [sample_scene(seed, index, level) for index in range(num)]


def picture_of(scene: Scene) -> Picture:
    return render(scene, SIDES[scene.level], SIDES[scene.level]).picture


def mean(values: Iterable[float | None]) -> float:
    there = [value for value in values if value is not None]
    assert there
    return sum(there) / len(there)
