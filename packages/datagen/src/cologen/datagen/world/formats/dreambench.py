"""The synthetic dataset's subjects in DreamBooth's format: a folder of photographs each, and a file of prompts.

The folders have names of published subjects, so that the benchmark's fixed list of pictures holds; the file of prompts
says what is in them. A scene gives one subject, alone in each of ``NUM_PICTURES`` pictures.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import Drawing, Progress, World, each_scene, jpeg, save, silent
from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene, place, with_depths
from cologen.datagen.world.subjects import subject_pair
from cologen.datagen.world.vocabulary import GROUNDS, SHAPES

NUM_PICTURES = 6
NAMES = (
    "backpack", "backpack_dog", "bear_plushie", "berry_bowl", "can", "candle", "clock", "colorful_sneaker", "duck_toy",
    "fancy_boot", "grey_sloth_plushie", "monster_toy", "pink_sunglasses", "poop_emoji", "rc_car", "red_cartoon",
    "robot_toy", "shiny_sneaker", "teapot", "vase", "wolf_plushie",
)  # fmt: skip
"""The published subjects that do not live: nothing in this world does."""

_COLORS = ("red", "purple", "green", "pink")
_TEMPLATES = (
    *(f"a {{0}} {{1}} {where}" for ground in GROUNDS.values() for where in ground.places),
    *(f"a {color} {{0}} {{1}}" for color in _COLORS),
)


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``dataset/<subject>/NN.jpg`` and ``dataset/prompts_and_classes.txt``, of one subject for each of 21 scenes."""
    told = each_scene(world, partial(_subject, root / "dataset"), workers=workers, progress=progress)
    classes = "".join(f"{line}\n" for line in told if line)
    prompts = "".join(f"'{template}'.format(unique_token, class_token),\n" for template in _TEMPLATES)
    lists = "".join(f"\n{kind} Prompts\n\nprompt_list = [\n{prompts}]\n" for kind in ("Object", "Live Subject"))
    save(root / "dataset/prompts_and_classes.txt", f"Classes\n\nsubject_name,class\n{classes}\nPrompts\n{lists}")


def _subject(folder: Path, drawing: Drawing) -> str | None:
    """The line of its name and class; its pictures are written. None once all names are taken."""
    if drawing.index >= len(NAMES):
        return None
    world, name = drawing.world, NAMES[drawing.index]
    pair = subject_pair(world.seed, drawing.index, world.level)
    subject = pair.first.objects[pair.first_index]
    for number in range(NUM_PICTURES):
        scene = _alone(subject, world, drawing.index, number)
        save(folder / name / f"{number:02d}.jpg", jpeg(render(scene, world.width, world.height).picture))
    return f"{name},{pair.item}"


def _alone(subject: SceneObject, world: World, index: int, number: int) -> Scene:
    draw = generator(world.seed, "dreambench", index, number)
    grounds = [name for name, ground in GROUNDS.items() if subject.color not in ground.camouflages]
    ground = grounds[draw.integers(len(grounds))]
    tilt = SHAPES[subject.shape].tilt * LEVELS[world.level].tilt
    placed = place(replace(subject, angle=draw.uniform(-1, 1) * tilt), draw, world.level)
    assert placed is not None, "an object always finds a place in an empty scene"
    key = f"dreambench-{index:08d}-{number}"
    objects = with_depths((placed,), draw)
    return Scene(seed=world.seed, key=key, ground=ground, objects=objects, level=world.level)
