"""The synthetic dataset in ADE20K's challenge form: labels of 2016, instances of 2017, captions of Captioned_ADE20K."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from cologen.datagen.world.formats.ade20k_classes import NAMES, full_index, label_map
from cologen.datagen.world.formats.captioned_ade20k import FOLDERS, CaptionedRow, file_name, write_captions
from cologen.datagen.world.formats.drawing import Drawing, Progress, Split, World, each_scene, jpeg, png, save, silent
from cologen.datagen.world.vocabulary import OBJECT_CLASSES

FOLDER = "ADEChallengeData2016"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    captioned: CaptionedRow
    scene: str
    pixels: Int64[np.ndarray, "labels"]
    """How many pixels have each label, from 0."""


class _Statistics:
    """What the text files say of all pictures together, gathered while the rows pass by."""

    def __init__(self) -> None:
        self.scenes: dict[str, str] = {}
        self.pixels = np.zeros(len(NAMES) + 1, dtype=np.int64)
        self.pictures: dict[Split, Int64[np.ndarray, "labels"]] = {
            "train": np.zeros_like(self.pixels),
            "val": np.zeros_like(self.pixels),
        }

    def passing(self, rows: Iterator[_Row]) -> Iterator[CaptionedRow]:
        for row in rows:
            self.scenes[row.captioned.name] = row.scene
            self.pixels += row.pixels
            self.pictures[row.captioned.split] += row.pixels > 0
            yield row.captioned

    def object_info(self) -> str:
        ratios = self.pixels / self.pixels.sum()
        train, val = self.pictures["train"], self.pictures["val"]
        lines = [
            f"{label}\t{ratios[label]:.4f}\t{train[label]}\t{val[label]}\t{name}" for label, name in enumerate(NAMES, 1)
        ]
        return "\n".join(["Idx\tRatio\tTrain\tVal\tName", *lines, ""])


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``ADEChallengeData2016/`` and ``Captioned_ADE20K/``."""
    statistics = _Statistics()
    rows = each_scene(world, partial(_draw, root / FOLDER), workers=workers, progress=progress)
    write_captions(root, statistics.passing(rows))
    save(root / FOLDER / "objectInfo150.txt", statistics.object_info())
    # Training pictures come first, as in the real list.
    scenes = sorted(statistics.scenes.items())
    save(root / FOLDER / "sceneCategories.txt", "".join(f"{name} {scene}\n" for name, scene in scenes))
    save(root / FOLDER / "categoryMapping.txt", _category_mapping())


def instance_map(
    class_map: UInt8[np.ndarray, "height width"], instances: UInt8[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Red the category among the 100, from 1; green the instance, from 1; both 0 where no thing is."""
    categories = np.where(instances > 0, class_map + np.uint8(1), np.uint8(0))
    return np.dstack([categories, instances, np.zeros_like(instances)])


def _draw(folder: Path, drawing: Drawing) -> _Row:
    split, name, rendering = FOLDERS[drawing.split], file_name(drawing), drawing.rendering
    labels, picture = label_map(rendering.class_map), jpeg(rendering.picture)
    save(folder / f"images/{split}/{name}.jpg", picture)
    save(folder / f"annotations/{split}/{name}.png", png(labels))
    instances = instance_map(rendering.class_map, rendering.instance_map)
    save(folder / f"annotations_instance/{split}/{name}.png", png(instances))
    return _Row(
        captioned=CaptionedRow(split=drawing.split, name=name, jpeg=picture, labels=labels, captions=drawing.captions),
        scene=drawing.scene.ground,
        pixels=np.bincount(labels.ravel(), minlength=len(NAMES) + 1),
    )


def _category_mapping() -> str:
    # The header is misspelled in the published file.
    lines = [
        f"{category}\t\t{1 + NAMES.index(name)}\t\t{full_index(name)}"
        for category, name in enumerate(OBJECT_CLASSES, 1)
    ]
    return "\n".join(["Instacne100\tSceneParse150\tFullADE20K", *lines, ""])
