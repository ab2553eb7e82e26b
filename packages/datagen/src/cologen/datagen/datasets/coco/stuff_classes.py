"""The 91 stuff classes of COCO-Stuff, ids 92 to 182, worded as nouns (``wall-brick`` is a brick wall).

Source: labels.txt of the COCO-Stuff release (Caesar et al., 2018).
"""

from __future__ import annotations

_FIRST_ID = 92

NOUNS = (
    "banner", "blanket", "branch", "bridge", "building", "bush", "cabinet", "cage", "cardboard", "carpet",
    "ceiling", "tiled ceiling", "cloth", "clothes", "clouds", "counter", "cupboard", "curtain", "desk", "dirt",
    "door", "fence", "marble floor", "floor", "stone floor", "tiled floor", "wooden floor", "flower", "fog", "food",
    "fruit", "furniture", "grass", "gravel", "ground", "hill", "house", "leaves", "light", "mat",
    "metal", "mirror", "moss", "mountain", "mud", "napkin", "net", "paper", "pavement", "pillow",
    "plant", "plastic", "platform", "playing field", "railing", "railroad", "river", "road", "rock", "roof",
    "rug", "salad", "sand", "sea", "shelf", "sky", "skyscraper", "snow", "solid", "stairs",
    "stone", "straw", "structure", "table", "tent", "textile", "towel", "tree", "vegetable", "brick wall",
    "concrete wall", "wall", "wall panel", "stone wall", "tiled wall", "wooden wall", "water", "waterdrops",
    "window blind", "window", "wood",
)  # fmt: skip


def noun_of(value: int) -> str | None:
    """Of a value of the stuff maps, which is the id less one; None where it is no stuff class."""
    place = value + 1 - _FIRST_ID
    return NOUNS[place] if 0 <= place < len(NOUNS) else None
