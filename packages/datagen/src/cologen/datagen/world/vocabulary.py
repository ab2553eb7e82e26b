"""The words of the synthetic dataset: every shape, colour, size, texture and ground, with all that is fixed about each.

The order of ``SHAPES`` and ``GROUNDS`` gives the class ids, so new words belong at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

RGB = tuple[int, int, int]
"""sRGB, each in 0..255."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A silhouette with a noun; ``tilt`` is the largest turn in degrees at which it still looks natural."""

    plural: str
    tilt: float


@dataclass(frozen=True, slots=True)
class Texture:
    """A surface pattern, said before the noun or after it; the plain one goes without saying."""

    adjectives: tuple[str, ...]
    afterthoughts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """Grounds, with phrases for being on them.

    ``camouflages`` names the colours that would hardly be seen on it. ``depth`` is that of its upper and lower edge.
    """

    places: tuple[str, ...]
    camouflages: frozenset[str]
    depth: tuple[float, float] = (1.0, 0.75)


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "ball": Shape("balls", 10.0),
        "box": Shape("boxes", 25.0),
        "star": Shape("stars", 36.0),
        "heart": Shape("hearts", 25.0),
        "ring": Shape("rings", 180.0),
        "arrow": Shape("arrows", 180.0),
        "moon": Shape("moons", 40.0),
        "flower": Shape("flowers", 30.0),
        "leaf": Shape("leaves", 60.0),
        "cross": Shape("crosses", 45.0),
        "drop": Shape("drops", 20.0),
        "house": Shape("houses", 8.0),
        "tree": Shape("trees", 8.0),
        "fish": Shape("fish", 25.0),
        "mug": Shape("mugs", 12.0),
        "mushroom": Shape("mushrooms", 15.0),
    }
)

COLORS: Mapping[str, RGB] = MappingProxyType(
    {
        "red": (214, 40, 44),
        "orange": (245, 138, 30),
        "yellow": (250, 214, 50),
        "green": (52, 158, 70),
        "turquoise": (56, 200, 190),
        "blue": (44, 98, 214),
        "purple": (132, 62, 176),
        "pink": (246, 142, 186),
        "brown": (124, 76, 42),
        "black": (38, 38, 44),
        "gray": (142, 144, 150),
        "white": (242, 242, 238),
    }
)

SIZES: Mapping[str, float] = MappingProxyType({"tiny": 0.085, "small": 0.12, "medium": 0.175, "large": 0.26})
"""The radius of the circle around the silhouette, as a fraction of the picture's shorter side."""

TEXTURES: Mapping[str, Texture] = MappingProxyType(
    {
        "plain": Texture(("plain",), ()),
        "striped": Texture(("striped",), ("with stripes",)),
        "dotted": Texture(("dotted", "spotted"), ("with dots", "covered in dots")),
        "checkered": Texture(("checkered",), ("with a checkered pattern",)),
        "speckled": Texture(("speckled",), ("with speckles",)),
        "wavy": Texture(("wavy-patterned",), ("with wavy lines",)),
    }
)

GROUNDS: Mapping[str, Ground] = MappingProxyType(
    {
        "grass": Ground(("on the grass", "on a green lawn", "in the grass"), frozenset({"green"})),
        "sand": Ground(("on the sand", "on a sandy beach"), frozenset({"yellow", "white"})),
        "water": Ground(("on the water", "floating on blue water"), frozenset({"blue", "turquoise"})),
        "brick": Ground(("against a brick wall", "in front of a brick wall"), frozenset({"red", "brown"}), (0.9, 0.9)),
        "wood": Ground(("on a wooden floor", "on a table of brown wood"), frozenset({"brown", "orange"})),
        "snow": Ground(("in the snow", "on white snow"), frozenset({"white"})),
        "sky": Ground(("in the sky", "in front of a cloudy sky"), frozenset({"blue", "white"}), (1.0, 1.0)),
        "gravel": Ground(("on the gravel", "on gray gravel"), frozenset({"gray"})),
        "carpet": Ground(("on a purple carpet", "on the carpet"), frozenset({"purple"})),
        "tile": Ground(("on a tile floor", "on pale tiles"), frozenset({"white", "turquoise"})),
    }
)

OBJECT_CLASSES: tuple[str, ...] = tuple(SHAPES)
"""Class ids 0 … len - 1 of a class map."""

GROUND_CLASSES: tuple[str, ...] = tuple(GROUNDS)
"""Class ids from ``len(OBJECT_CLASSES)`` on."""
