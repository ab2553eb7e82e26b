"""The synthetic dataset in the on-disk formats of the public datasets, for the same readers."""

from cologen.datagen.world.formats.drawing import Progress, World
from cologen.datagen.world.formats.ensuring import WORLD_VERSION, WRITERS, ensure, is_complete, version_of, world_format

__all__ = ["WORLD_VERSION", "WRITERS", "Progress", "World", "ensure", "is_complete", "version_of", "world_format"]
