"""The synthetic dataset's subjects in DreamBench++'s format: a picture, and a text of its subject and nine prompts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import Drawing, Progress, World, each_scene, jpeg, save, silent
from cologen.datagen.world.nouns import with_article
from cologen.datagen.world.render import render
from cologen.datagen.world.subjects import subject_pair
from cologen.datagen.world.vocabulary import GROUNDS

NUM_PROMPTS = 9


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``images/object/NN.jpg`` and ``captions/object/NN.txt``, of one subject for each scene."""
    for _ in each_scene(world, partial(_subject, root), workers=workers, progress=progress):
        pass


def _subject(root: Path, drawing: Drawing) -> None:
    world, name = drawing.world, f"object/{drawing.index:02d}"
    pair = subject_pair(world.seed, drawing.index, world.level)
    save(root / f"images/{name}.jpg", jpeg(render(pair.first, world.width, world.height).picture))
    places = [where for ground in GROUNDS.values() for where in ground.places]
    chosen = generator(world.seed, "dreambench plus", drawing.index).permutation(len(places))[:NUM_PROMPTS]
    lines = [pair.item, *(f"{with_article(pair.item)} {places[place]}" for place in chosen)]
    save(root / f"captions/{name}.txt", "\n".join(lines) + "\n")
