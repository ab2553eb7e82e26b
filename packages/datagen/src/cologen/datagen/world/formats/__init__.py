"""The synthetic dataset in the on-disk formats of the public datasets, for the same readers."""

from cologen.datagen.world.formats.drawing import Progress, World
from cologen.datagen.world.formats.ensuring import WRITERS, ensure, is_complete, world_format

__all__ = ["WRITERS", "Progress", "World", "ensure", "is_complete", "world_format"]
