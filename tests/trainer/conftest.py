"""Tiny manifests of every task, as the builders make them of the synthetic dataset, without the engine."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from cologen.datagen.control.policy import ConditionMix, ControlPolicy
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.manifest import commit_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Condition, ConditionKind, Pair
from cologen.datagen.pairs.filters import PairPolicy
from cologen.datagen.passes.control import ControlPass, ControlRecipe
from cologen.datagen.passes.distinct import DistinctPass
from cologen.datagen.passes.grounding import GroundingPass, GroundingRecipe
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.pairs import PairPass, PairRecipe
from cologen.datagen.passes.reading import Reader
from cologen.datagen.randomness import generator
from cologen.datagen.records import Image
from cologen.datagen.world.formats import World, ensure
from cologen.trainer.data.world import HELD_OUT_TASKS
from cologen.trainer.recipes.world import VALIDATION

SCENES, WIDTH, HEIGHT = 16, 64, 48
_SMALL = PairPolicy(min_side=32)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the manifests that the recipe ``world`` reads, and ``control-online``, of HED and lineart too.

    Every picture is 64 x 48, and every manifest has 10 rows or more in parts of 8. Beside each is that of the
    validation split, with two rows (grounding one).
    """
    home = tmp_path_factory.mktemp("manifests")
    before = os.environ.get("COLOGEN_CACHE")
    os.environ["COLOGEN_CACHE"] = str(home / "cache")
    for name, (layout, make) in _MANIFESTS.items():
        root = home / "world" / layout
        ensure(layout, root, World(num_scenes=SCENES, width=WIDTH, height=HEIGHT, seed=3))
        _build(make(root, Folder.open(home / "data" / name)))
        if f"{name}{VALIDATION}" in HELD_OUT_TASKS:
            _build(make(root, Folder.open(home / "data" / f"{name}{VALIDATION}"), "val"))
    if before is None:
        del os.environ["COLOGEN_CACHE"]
    else:
        os.environ["COLOGEN_CACHE"] = before
    return home / "data"


@pytest.fixture
def data(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with the rows' copies in a cache folder of the tests' own."""
    monkeypatch.setenv("COLOGEN_CACHE", str(built.parent / "cache"))
    return built


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with ``editing-triplets`` of a user's own 12 pairs in parts of 8, all of 64 x 48, as the command
    builds it. Rows 1, 3, 5 and 7 have two source pictures, so the second part has no column for them. A thirteenth pair
    is rejected, whose second source is its target. The first two are those of the validation split too."""
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))
    root, lines = tmp_path / "own", list[str]()
    root.mkdir()
    for number in range(13):
        pixels = generator(number, "several").integers(0, 256, (3, HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
        names = [f"{number}-{role}.png" for role in ("first", "second", "target")]
        for name, small in zip(names, pixels, strict=True):
            PIL.Image.fromarray(small.repeat(8, axis=0).repeat(8, axis=1)).save(root / name)
        source = names[::2] if number == 12 else names[:2] if number in (1, 3, 5, 7) else names[0]
        lines.append(json.dumps({"source": source, "target": names[2], "instruction": f"change {number}"}))
    for split, name, some in (("train", "", lines), ("val", VALIDATION, lines[:2])):
        (root / f"{split}.jsonl").write_text("\n".join(some))
        reader = Reader.of(Pair, "triplets", root, split, 8, None)
        recipe = PairRecipe(task="editing", source=reader.recipe, policy=_SMALL)
        distinct = DistinctPass.over(reader, recipe, Folder.open(tmp_path / "data" / f"editing-triplets{name}"))
        _build(distinct.candidates)
        _build(distinct)
    return tmp_path / "data"


def _build(pass_: Pass) -> None:
    pass_.folder.create()
    work, empty = pass_.open(), pass_.manifest()
    reports = [commit_part(pass_.folder, index, work(pass_.part(index))) for index in range(empty.num_parts)]
    save_manifest(pass_.folder, empty.finished(reports))


def _inpaint(root: Path, folder: Folder, split: str = "train") -> Pass:
    reader = Reader.of(Image, "cocostuff", root, split, 8, None)
    return MaskPass(folder=folder, recipe=InpaintRecipe(source=reader.recipe), reader=reader)


def _grounding(root: Path, folder: Folder, split: str = "train") -> Pass:
    reader = Reader.of(Image, "refcoco", root, split, 8, None)
    return GroundingPass(folder=folder, recipe=GroundingRecipe(source=reader.recipe), reader=reader)


def _control(source: str, kinds: tuple[ConditionKind, ...], root: Path, folder: Folder, split: str = "train") -> Pass:
    reader = Reader.of(Condition, source, root, split, 8, None)
    recipe = ControlRecipe(source=reader.recipe, policy=ControlPolicy(mix=ConditionMix.equal(kinds)))
    return ControlPass(folder=folder, recipe=recipe, reader=reader)


def _customized(root: Path, folder: Folder, split: str = "train") -> Pass:
    reader = Reader.of(Pair, "subjects200k", root, split, 8, None)
    recipe = PairRecipe(task="customized", source=reader.recipe, policy=_SMALL)
    return PairPass(folder=folder, recipe=recipe, reader=reader)


def _editing(root: Path, folder: Folder, split: str = "train") -> Pass:
    reader = Reader.of(Pair, "triplets", root, split, 8, None)
    recipe = PairRecipe(task="editing", source=reader.recipe, policy=_SMALL)
    return PairPass(folder=folder, recipe=recipe, reader=reader)


_MANIFESTS: dict[str, tuple[str, Callable[..., Pass]]] = {
    "inpaint-cocostuff": ("cocostuff", _inpaint),
    "grounding-refcoco": ("refcoco", _grounding),
    "control-cocostuff": ("captioned_cocostuff", partial(_control, "cocostuff", ("canny", "segmentation"))),
    "control-online": ("captioned_cocostuff", partial(_control, "cocostuff", ("canny", "hed", "lineart"))),
    "control-multigen_depth": ("multigen_depth", partial(_control, "multigen_depth", ("canny", "depth"))),
    "customized-subjects200k": ("subjects200k", _customized),
    "editing-triplets": ("triplets", _editing),
}
