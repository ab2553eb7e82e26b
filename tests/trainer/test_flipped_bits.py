"""One flipped bit in any file that is written and trusted later: it is named, passed over, or changes nothing.

Each kind of file is looked at the way its reader does: the parts, dead letters, maps and ``manifest.json`` of a build;
the caches of a source and of its rows; kept text and latents; a checkpoint, the small files of a run, its adapter.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cologen.datagen.control.annotators import annotator
from cologen.datagen.control.policy import ConditionMix, ControlPolicy
from cologen.datagen.manifest import commit_part, iterate_rows, load_manifest, read_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Condition
from cologen.datagen.passes.control import ControlPass, ControlRecipe
from cologen.datagen.passes.map_networks import MapWeights
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image, Reason, RejectedError, Rejection
from cologen.datagen.review.verify import verify
from cologen.datagen.samples import render
from cologen.datagen.world.formats import World, ensure
from cologen.model.adapters import load_adapter
from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.model.world_codec import WorldCodec
from cologen.model.world_text import WorldTextEncoder
from cologen.trainer.data.manifests import open_manifest
from cologen.trainer.loop.checkpoint import latest_checkpoint
from cologen.trainer.loop.kept import KeptLatents, KeptText
from cologen.trainer.run_folder import entry, finished_stages, refuse_other_base, stand_on
from tests.trainer.small_runs import recipe, train

pytestmark = pytest.mark.slow

FLIPS = 12
"""Flips of each file, at places that its name decides."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("flips")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLOGEN_CACHE", str(home / "cache"))
        yield home


@pytest.fixture(scope="module")
def manifest(home: Path) -> Path:
    """A manifest of control maps drawn in advance, and of pictures that were rejected."""
    root = home / "ade20k"
    ensure("ade20k", root, World(num_scenes=10, width=32, height=32, seed=4))
    torch.manual_seed(0)
    network = annotator("hed").ControlNetHED_Apache2()
    for weight in network.parameters():
        if weight.ndim == 4:
            nn.init.kaiming_normal_(weight)
    torch.save(network.state_dict(), home / "hed.pth")
    weights = MapWeights(depth=None, hed=home / "hed.pth", lineart=None, device="cpu")
    reader = Reader.of(Condition, "ade20k", root, "train", 5, None)
    policy = ControlPolicy(mix=ConditionMix.equal(("canny", "hed")))
    of = ControlRecipe(source=reader.recipe, policy=policy, maps=weights.recipe(2))
    pass_ = ControlPass(folder=Folder.open(home / "control"), recipe=of, reader=reader, weights=weights)
    pass_.folder.create()
    work, empty = pass_.open(), pass_.manifest()
    lost = Rejection(sample_id="ade20k/x", stage="source", reason=Reason.MISSING_IMAGE, detail="gone")
    made = [replace(work(pass_.part(index)), rejections=[lost]) for index in range(empty.num_parts)]
    reports = [commit_part(pass_.folder, index, content) for index, content in enumerate(made)]
    save_manifest(pass_.folder, empty.finished(reports))
    return home / "control"


@pytest.fixture(scope="module")
def coco(home: Path) -> Path:
    """COCO's layout, whose listing is kept in the cache."""
    ensure("cocostuff", home / "coco", World(num_scenes=10, width=32, height=32, seed=4))
    return home / "coco"


@pytest.fixture(scope="module")
def run(home: Path, built: Path) -> Path:
    """A run whose first stage is finished and whose second was stopped, with checkpoints after two steps and four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLOGEN_CACHE", str(built.parent / "cache"))
        train(home / "run", built, recipe())
        train(home / "run", built, recipe(), [1], stop_after=4)
    stand_on(home / "run", "0123")
    return home / "run"


def _manifest(home: Path) -> Any:
    """Every row, dead letter and map, where ``verify`` has nothing to say."""
    folder, root = Folder.open(home), home.parent / "ade20k"
    if found := [one for findings in verify(folder, None, workers=1) for one in findings]:
        raise ValueError(", ".join(f"{one.file}: {one.problem}" for one in found))
    content = load_manifest(folder)
    rows = list(iterate_rows(folder, content))
    maps = [render(row, root, folder).source.tobytes() for row in rows if row["map_hash"]]
    return content, rows, [read_part(folder, part.rejected_file).to_pylist() for part in content.parts], maps


def _trained_rows(home: Path) -> Any:
    """The rows as training opens them, and their maps as it reads them."""
    opened = open_manifest(home, "control")
    rows = opened.rows(range(len(opened)))
    return rows, [np.asarray(render(row, opened.root, Folder.open(home)).source).tobytes() for row in rows]


def _source(root: Path) -> Any:
    opened = Reader.of(Image, "cocostuff", root, "train", 5, None).open()
    found = list[Any]()
    for index in range(len(opened)):
        try:
            found.append(opened.read(index))
        except RejectedError as error:
            found.append(str(error))
    return opened.fingerprint(), repr(found)


def _checkpoint(run: Path) -> Any:
    found = latest_checkpoint(run, stage=1)
    assert found is not None
    if found.progress.step == 2:
        raise ValueError(", ".join(path.name for path in run.rglob("*")))  # passed over
    return found


def _small_files(run: Path) -> Any:
    refuse_other_base(run, "0123")
    return finished_stages(run), entry(run, recipe(), resume=True, fresh=False)


def _adapter(run: Path) -> Any:
    model = build(preset("world-tiny"), seed=0).transformer
    load_adapter(model, run / "adapter")
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def _kept(folder: Path) -> Any:
    pictures = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    text = KeptText.of(WorldTextEncoder(8), folder / "text").encode(["a red ball", "", "a dog on the left"])
    return [
        each.numpy().tobytes()
        for each in (text.embeds, text.pooled, KeptLatents(WorldCodec(), folder).encode(pictures))
    ]


KINDS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "parts, as verify reads them": ("control", "part-*.parquet", _manifest),
    "dead letters": ("control", "rejected-*.parquet", _manifest),
    "maps": ("control", "maps-*.parquet", _manifest),
    "manifest.json": ("control", "manifest.json", _manifest),
    "parts, as training reads them": ("control", "part-*.parquet", _trained_rows),
    "maps, as training reads them": ("control", "maps-*.parquet", _trained_rows),
    "the cache of rows": ("control", "../cache/rows/**/*", _trained_rows),
    "the cache of a source": ("coco", "../cache/index/**/*", _source),
    "kept text and latents": ("kept", "**/*.safetensors", _kept),
    "a checkpoint": ("run", "checkpoints/1-*4/**/*", _checkpoint),
    "the small files of a run": ("run", "*.json", _small_files),
    "an adapter": ("run", "adapter/*", _adapter),
}


def _flip(path: Path, whole: bytes, bit: int) -> None:
    """One bit, and no trace of it in the file's size and time."""
    times = path.stat()
    path.write_bytes(whole[: bit // 8] + bytes([whole[bit // 8] ^ 1 << bit % 8]) + whole[bit // 8 + 1 :])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.usefixtures("manifest", "coco", "run")
def test_a_flipped_bit_is_found_or_changes_nothing(home: Path, kind: str) -> None:
    place, pattern, look = KINDS[kind]
    expected = look(home / place)
    files = [path for path in sorted((home / place).glob(pattern)) if path.is_file() and path.suffix != ".lock"]
    assert files
    for path in files:
        whole, chance = path.read_bytes(), random.Random(path.name)
        for bit in (chance.randrange(8 * len(whole)) for _ in range(FLIPS if whole else 0)):
            _flip(path, whole, bit)
            try:
                found = look(home / place)
            except (ValueError, OSError, RejectedError) as error:
                assert path.name in str(error) or str(path.parent) in str(error), (path.name, bit)
            else:
                assert found == expected, (path.name, bit)
            finally:
                path.write_bytes(whole)
    assert look(home / place) == expected
