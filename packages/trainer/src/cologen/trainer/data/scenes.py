"""Rows that are scenes of the synthetic dataset, drawn and rendered when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cologen.datagen.images import Picture
from cologen.datagen.manifest import recipe_hash
from cologen.datagen.world.captions import captions
from cologen.datagen.world.formats.ensuring import WORLD_VERSION
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.trainer.recipes.scenes import Scenes

NUM_SCENES = 1 << 32
"""More than any run sees: its permutation never comes round."""


@dataclass(frozen=True, slots=True)
class SceneRows:
    """An endless series of captioned scenes, as a manifest of inpainting's pictures and captions would hold them."""

    scenes: Scenes
    task: str = "inpaint"
    source: str = "world"
    num_rows: int = NUM_SCENES

    @property
    def fingerprint(self) -> str:
        """The same wherever the same scenes are drawn."""
        return recipe_hash({**self.scenes.model_dump(mode="json"), "version": WORLD_VERSION})

    def row(self, index: int) -> dict[str, Any]:
        """Scene ``index`` of [0, 2³²) with its first caption.

        Raises:
            IndexError: there is no such scene.
        """
        if not 0 <= index < self.num_rows:
            raise IndexError(f"scene {index} of {self.num_rows}")
        scene, side = sample_scene(self.scenes.seed, index, self.scenes.level), self.scenes.side
        caption = captions(scene, 1)[0]
        return {"sample_id": scene.key, "caption": caption, "width": side, "height": side, "scene": scene}

    def picture(self, row: Mapping[str, Any]) -> Picture:
        """The picture of one of its rows."""
        return render(row["scene"], self.scenes.side, self.scenes.side).picture
