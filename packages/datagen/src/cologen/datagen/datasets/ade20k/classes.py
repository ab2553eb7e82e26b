"""The 150 classes of the ADE20K challenges, and which 100 of them are things with instances.

Sources: objectInfo150.txt (SceneParse150) and instanceInfo100_train.txt (Places Challenge 2017). The 100 keep the
order of the 150, so an instance category is a place in ``THINGS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cologen.datagen.datasets.files import fields, text_files

_VALUE = re.compile(r"[0-9]{1,9}")

NOUNS = (
    "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "window", "grass",
    "cabinet", "sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair",
    "car", "water", "painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field",
    "armchair", "seat", "fence", "desk", "rock", "wardrobe", "lamp", "bathtub", "railing", "cushion",
    "base", "box", "column", "sign", "chest of drawers", "counter", "sand", "sink", "skyscraper", "fireplace",
    "refrigerator", "grandstand", "path", "stairs", "runway", "case", "pool table", "pillow", "screen door",
    "stairway", "river", "bridge", "bookcase", "blind", "coffee table", "toilet", "flower", "book", "hill", "bench",
    "countertop", "stove", "palm", "kitchen island", "computer", "swivel chair", "boat", "bar", "arcade machine",
    "hovel", "bus", "towel", "light", "truck", "tower", "chandelier", "awning", "streetlight", "booth", "television",
    "airplane", "dirt track", "clothes", "pole", "land", "bannister", "escalator", "ottoman", "bottle", "buffet",
    "poster", "stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer", "toy", "swimming pool",
    "stool", "barrel", "basket", "waterfall", "tent", "bag", "motorbike", "cradle", "oven", "ball", "food", "step",
    "tank", "brand name", "microwave", "pot", "animal", "bicycle", "lake", "dishwasher", "screen", "blanket",
    "sculpture", "hood", "sconce", "vase", "traffic light", "tray", "trash can", "fan", "pier", "crt screen", "plate",
    "monitor", "bulletin board", "shower", "radiator", "glass", "clock", "flag",
)  # fmt: skip
"""Of label values 1 to 150, in that order."""

STUFF = frozenset({
    1, 2, 3, 4, 5, 6, 7, 10, 12, 14, 17, 18, 22, 26, 27, 29, 30, 35, 41, 47, 49, 52, 53, 55, 60, 61, 62, 64, 69, 78,
    80, 85, 92, 95, 97, 100, 101, 102, 106, 107, 110, 114, 115, 118, 123, 129, 132, 141, 142, 146,
})  # fmt: skip
"""Label values without instances: regions such as sky and wall."""

THINGS = tuple(value for value in range(1, len(NOUNS) + 1) if value not in STUFF)
"""The label value of instance categories 1 to 100, in that order."""


_EVERYDAY = {
    "windowpane": "window", "signboard": "sign", "television receiver": "television", "apparel": "clothes",
    "plaything": "toy", "minibike": "motorbike", "trade name": "brand name", "ashcan": "trash can",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """``nouns`` by label value, and the label value of each instance category."""

    nouns: Mapping[int, str]
    things: Mapping[int, int]

    def is_thing(self, value: int) -> bool:
        """Whether the class of a label value has instances."""
        return value in self.things.values()


def read_classes(base: Path) -> Classes:
    """The classes of ``objectInfo150.txt`` and ``categoryMapping.txt`` under ``base``, or the known ones without."""
    nouns, things = class_files(base)
    return Classes(
        nouns=_read_nouns(nouns) or dict(enumerate(NOUNS, start=1)),
        things=_read_things(things) or dict(enumerate(THINGS, start=1)),
    )


def class_files(base: Path) -> tuple[Path, Path]:
    """Where the classes' names and the categories of instances would stand."""
    return base / "objectInfo150.txt", base / "categoryMapping.txt"


def noun_of(names: str) -> str:
    """``"windowpane, window"`` as ``"window"``: the first name, or the word a caption would use for it."""
    first = fields.words(names.split(",")[0])
    return _EVERYDAY.get(first, first)


def _read_nouns(path: Path) -> dict[int, str]:
    """Rows "value, ratio, train, val, names"."""
    rows = [line.split("\t") for line in _lines(path)]
    nouns = {int(row[0]): noun_of(row[-1]) for row in rows if _VALUE.fullmatch(row[0].strip())}
    return {value: noun for value, noun in nouns.items() if noun}


def _read_things(path: Path) -> dict[int, int]:
    """Rows "instance category, label value, index in the full data set", parted by any space."""
    pairs = [re.match(r"\s*(\d{1,9})\s+(\d{1,9})\b", line) for line in _lines(path)]
    return {int(pair[1]): int(pair[2]) for pair in pairs if pair}


def _lines(path: Path) -> list[str]:
    return text_files.read(path).splitlines() if path.is_file() else []
