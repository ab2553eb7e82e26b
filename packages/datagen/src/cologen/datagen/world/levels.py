"""The levels of the synthetic dataset: how many objects a scene has, how large and how varied they are, and its words.

A model is trained at the level whose objects its pictures are large enough to show: ``simple`` from 32 pixels a side
on, ``usual`` from 64, ``rich`` from 128. All levels share shapes, renderer, masks and depth, and all are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from cologen.datagen.world.vocabulary import COLORS, SHAPES, SIZES, TEXTURES

LevelName = Literal["simple", "usual", "rich"]
LEVEL_NAMES: tuple[LevelName, ...] = get_args(LevelName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What scenes of one level are made of.

    ``sizes`` gives each size word its radius as a fraction of the picture's shorter side. Weights are probabilities: of
    1, 2, … objects, and of each size. ``plain_share`` is the share of plain objects before all textures are equally
    likely. ``size_jitter`` is how far a radius may be off its size's, as a fraction of it. ``tilt`` multiplies each
    shape's largest turn. ``grid`` holds the coordinates at which middles of objects lie, across and down, as fractions
    of the picture; none: anywhere. ``min_visible`` is the part of every object's area that is seen, ``edge_share`` the
    share of objects that may reach beyond the picture. ``twin_share`` is how often an object equals one before it. In
    ``distinct`` scenes no two objects have the same shape or colour. ``plain_words`` leaves one wording for everything
    that can be said, and only ``said_sizes`` are said.
    """

    shapes: tuple[str, ...]
    colors: tuple[str, ...]
    textures: tuple[str, ...]
    plain_share: float
    sizes: Mapping[str, float]
    size_weights: tuple[float, ...]
    num_objects_weights: tuple[float, ...]
    size_jitter: float
    tilt: float
    grid: tuple[float, ...]
    min_visible: float
    edge_share: float
    twin_share: float
    distinct: bool
    plain_words: bool
    said_sizes: tuple[str, ...]

    @property
    def max_objects(self) -> int:
        """The most objects of a scene."""
        return len(self.num_objects_weights)


LEVELS: Mapping[LevelName, Level] = MappingProxyType(
    {
        "simple": Level(
            shapes=("ball", "box", "star", "heart", "ring", "cross", "house", "tree", "fish", "mug"),
            colors=("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "white"),
            textures=("plain",),
            plain_share=1.0,
            sizes=MappingProxyType({"large": 0.23}),
            size_weights=(1.0,),
            num_objects_weights=(0.4, 0.4, 0.2),
            size_jitter=0.0,
            tilt=0.0,
            grid=(0.25, 0.5, 0.75),
            min_visible=0.9,
            edge_share=0.0,
            twin_share=0.0,
            distinct=True,
            plain_words=True,
            said_sizes=(),
        ),
        "usual": Level(
            shapes=tuple(SHAPES),
            colors=tuple(COLORS),
            textures=("plain", "striped", "dotted", "checkered"),
            plain_share=0.5,
            sizes=MappingProxyType({"small": 0.13, "medium": 0.18, "large": 0.25}),
            size_weights=(0.3, 0.4, 0.3),
            num_objects_weights=(0.25, 0.3, 0.25, 0.2),
            size_jitter=0.07,
            tilt=0.7,
            grid=(),
            min_visible=0.7,
            edge_share=0.05,
            twin_share=0.0,
            distinct=False,
            plain_words=True,
            said_sizes=("small",),
        ),
        "rich": Level(
            shapes=tuple(SHAPES),
            colors=tuple(COLORS),
            textures=tuple(TEXTURES),
            plain_share=0.3,
            sizes=SIZES,
            size_weights=(0.15, 0.30, 0.33, 0.22),
            num_objects_weights=(0.10, 0.20, 0.25, 0.20, 0.15, 0.10),
            size_jitter=0.07,
            tilt=1.0,
            grid=(),
            min_visible=0.45,
            edge_share=0.15,
            twin_share=0.08,
            distinct=False,
            plain_words=False,
            said_sizes=tuple(SIZES),
        ),
    }
)
