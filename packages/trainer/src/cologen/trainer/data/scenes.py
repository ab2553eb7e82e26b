"""Rows that are scenes of the synthetic dataset, drawn and rendered when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cologen.datagen.drawn_pairs import PAIRS
from cologen.datagen.manifest import recipe_hash
from cologen.datagen.randomness import derived_seed
from cologen.datagen.world.captions import captions
from cologen.datagen.world.formats.ensuring import WORLD_VERSION
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.trainer.recipes.scenes import Scenes


@dataclass(frozen=True, slots=True)
class SceneRows:
    """A series of captioned scenes, or with ``paired`` of pairs of pictures of its tasks in turn."""

    scenes: Scenes
    paired: bool = False
    source: str = "world"
    _kept: dict[int, dict[str, Any]] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def num_rows(self) -> int:
        """The number of scenes."""
        return self.scenes.number

    @property
    def fingerprint(self) -> str:
        """The same wherever the same scenes are drawn."""
        series = self.scenes.model_dump(
            mode="json", exclude={"keep", "pair_share", "given_share"}, exclude_defaults=True
        )
        return recipe_hash({"series": series, "paired": self.paired, "version": WORLD_VERSION})

    def row(self, index: int) -> dict[str, Any]:
        """Scene ``index`` with its first caption and its picture, ``target``; of pairs with a ``second`` picture too.

        Raises:
            IndexError: there is no such scene.
        """
        if not 0 <= index < self.num_rows:
            raise IndexError(f"scene {index} of {self.num_rows}")
        if index in self._kept:
            return self._kept[index]
        row = self._pair(index) if self.paired else self._scene(index)
        if self.scenes.keep:
            self._kept[index] = row
        return row

    def _scene(self, index: int) -> dict[str, Any]:
        scene, side = sample_scene(self.scenes.seed, index, self.scenes.level), self.scenes.side
        return {
            "sample_id": scene.key, "caption": captions(scene, 1)[0], "target": render(scene, side, side).picture
        }  # fmt: skip

    def _pair(self, index: int) -> dict[str, Any]:
        tasks = self.scenes.pair_tasks
        turn, place = divmod(index, len(tasks))
        task = tasks[place]
        number = turn * tasks.count(task) + tasks[:place].count(task)
        seed = derived_seed(self.scenes.seed, "pairs")
        pair = PAIRS[task](seed, number, self.scenes.level, self.scenes.side)
        return {
            "sample_id": f"{task}-{number:08d}", "caption": pair.prompt,
            "target": pair.target, "second": pair.source,
        }  # fmt: skip
