"""The synthetic world in the on-disk layouts of the public datasets, for the same readers."""

from cologen.datagen.world.layouts.drawing import Progress, World
from cologen.datagen.world.layouts.ensuring import WRITERS, ensure, is_complete

__all__ = ["WRITERS", "Progress", "World", "ensure", "is_complete"]
