"""``python -m benchmarks.rendering``: a sample from its row to two pictures of 512², against what no trainer can save.

That is: the row's pictures decoded once each, and as many pictures resized as a sample has, its source and its target.
Where a task paints over one picture, it is resized twice there too, so that the ratio says what painting costs. The
rows are built by the passes from the synthetic dataset. Both ways take turns at each row, and each row's best round
counts, in CPU time: other work on the machine disturbs single rounds, and more so the way that touches more memory.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from cologen.datagen import images
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.images import Picture
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import SCHEMAS
from cologen.datagen.pair_records import Pair
from cologen.datagen.passes.grounding import GroundingPass, GroundingRecipe
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.pairs import PairPass, PairRecipe
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image
from cologen.datagen.samples import render
from cologen.datagen.world.formats import World, ensure

SCENES, WIDTH, HEIGHT, SIDE = 80, 640, 480, 512
ROUNDS, ROWS = 15, 24
TARGET = 1.25

Row = Mapping[str, Any]
Rows = dict[str, list[tuple[Row, Path]]]
"""Rows and the folders of their pictures, by kind."""


def main() -> None:
    """Print one line per kind of row."""
    cv2.setNumThreads(1)
    # As in a trainer, through which batches pass: once so much was freed, glibc keeps memory and maps none anew.
    np.ones((8, 3, SIDE, SIDE), dtype=np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["COLOGEN_CACHE"] = str(Path(temporary, "cache"))
        rows = _rows(Path(temporary))
        table = Table(title=f"pictures of {WIDTH}x{HEIGHT} to {SIDE}²; target: at most {TARGET} times decode + resize")
        for column in ("row", "rows", "decode + resize, ms", "sample, ms", "ratio"):
            table.add_column(column, justify="left" if column == "row" else "right")
        for kind, (bare, whole) in measure(rows).items():
            table.add_row(kind, str(len(rows[kind])), f"{bare:.2f}", f"{whole:.2f}", f"{whole / bare:.2f}")
        Console(width=110).print(table)


def measure(rows: Rows) -> dict[str, tuple[float, float]]:
    """Milliseconds of decode and resize, and of the sample, by kind: means over rows of each row's best round."""
    best = {kind: np.full((2, len(some)), np.inf) for kind, some in rows.items()}
    for _ in range(ROUNDS):
        for kind, some in rows.items():
            for i, (row, root) in enumerate(some):
                seconds = _cpu_seconds(_bare, row, root), _cpu_seconds(_sample, row, root)
                best[kind][:, i] = np.minimum(best[kind][:, i], seconds)
    return {kind: (1e3 * float(bare.mean()), 1e3 * float(whole.mean())) for kind, (bare, whole) in best.items()}


def _cpu_seconds(run: Callable[[Row, Path], object], row: Row, root: Path) -> float:
    start = time.process_time()
    run(row, root)
    return time.process_time() - start


def _sample(row: Row, root: Path) -> None:
    sample = render(row, root)
    _resized(sample.source)
    _resized(sample.target)


def _bare(row: Row, root: Path) -> None:
    if "source_uri" not in row:
        picture = images.decode(images.read_bytes(root, row["image_uri"]))
        _resized(picture)
        _resized(picture)
        return
    uris = row["source_uri"], row["target_uri"]
    whole = {uri: images.decode(images.read_bytes(root, uri)) for uri in dict.fromkeys(uris)}
    for uri, box in zip(uris, (row["source_box"], row["target_box"]), strict=True):
        picture = whole[uri]
        left, top, right, bottom = (int(side) for side in box or (0, 0, picture.shape[1], picture.shape[0]))
        _resized(picture[top:bottom, left:right])


def _resized(picture: Picture) -> Any:
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _rows(folder: Path) -> Rows:
    """At most ``ROWS`` of each kind that a task has."""
    found: Rows = defaultdict(list)
    for layout, make in _PASSES.items():
        root = folder / layout
        ensure(layout, root, World(num_scenes=SCENES, width=WIDTH, height=HEIGHT, seed=0))
        pass_ = make(layout, root)
        content = pass_.open()(pass_.part(0))
        for row in pa.table(content.columns, schema=SCHEMAS[content.task]).to_pylist():
            kind = f"{row['task']}, {row.get('mask_kind') or row.get('referring') or layout}"
            if len(found[kind]) < ROWS:
                found[kind].append((row, root))
    return dict(found)


def _inpaint(name: str, root: Path) -> Pass:
    reader = Reader.of(Image, name, root, "train", SCENES, None)
    return MaskPass(folder=_folder(root), recipe=InpaintRecipe(source=reader.recipe), reader=reader)


def _grounding(name: str, root: Path) -> Pass:
    reader = Reader.of(Image, name, root, "train", SCENES, None)
    return GroundingPass(folder=_folder(root), recipe=GroundingRecipe(source=reader.recipe), reader=reader)


def _customized(name: str, root: Path) -> Pass:
    reader = Reader.of(Pair, name, root, "train", SCENES, None)
    recipe = PairRecipe(task="customized", source=reader.recipe)
    return PairPass(folder=_folder(root), recipe=recipe, reader=reader)


def _editing(name: str, root: Path) -> Pass:
    reader = Reader.of(Pair, name, root, "train", SCENES, None)
    recipe = PairRecipe(task="editing", source=reader.recipe)
    return PairPass(folder=_folder(root), recipe=recipe, reader=reader)


def _folder(root: Path) -> Folder:
    """Where nothing is written: passes are run without the engine."""
    return Folder.open(root / "manifest")


_PASSES: dict[str, Callable[[str, Path], Pass]] = {
    "cocostuff": _inpaint,
    "lvis": _grounding,
    "subjects200k": _customized,
    "omniedit": _editing,
    "triplets": _editing,
}


if __name__ == "__main__":
    main()
