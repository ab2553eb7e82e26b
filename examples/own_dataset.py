"""A dataset of your own, from files on disk to a manifest: ``python examples/own_dataset.py``.

Its form: a folder of pictures with a list in JSON lines, ``train.jsonl``::

    {"file": "photos/07.jpg", "caption": "a square on grey", "noun": "square", "polygon": [40, 30, 70, 30, 70, 60]}

To have it beside the public ones (``--src mine``), put ``open_mine`` into a module of
``packages/datagen/src/cologen/datagen/datasets/`` and its name into ``catalog.py``: see docs/adding-a-dataset.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from cologen.datagen import images, rle
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.index import open_lines
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, worded
from cologen.datagen.datasets.files.requirements import require_file
from cologen.datagen.engine.build import build
from cologen.datagen.engine.cluster import Cluster
from cologen.datagen.engine.jobs import Job
from cologen.datagen.engine.parts import DatasetRecipe
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image, ObjectMask
from cologen.datagen.review.report import write_report


def open_mine(root: Path, split: str = "train") -> Dataset[Image]:
    """The dataset in ``root``: rows from the list, and how each becomes an ``Image``."""
    rows = open_lines(root, {split: require_file(root / f"{split}.jsonl", root)})
    return IndexedDataset(name="mine", rows=rows, interpret=partial(interpret, root, split), annotated=True)


def interpret(root: Path, split: str, key: str, line: bytes) -> Reading[Image]:
    """One line. What is wrong with it (a missing field or picture) raises, and becomes a counted rejection."""
    row = fields.parse_record(line)
    uri = fields.text(row, "file")
    width, height = images.probe(root, uri)
    polygon = [fields.number({"polygon": value}, "polygon") for value in fields.items(row, "polygon")]
    mask = rle.from_polygons([polygon], height, width)
    [noun] = worded([row.get("noun")], "noun")
    thing = ObjectMask(noun=noun, box=rle.box(mask, height, width), rle=mask)
    captions = worded([row.get("caption")], "caption")
    return Reading(
        item=Image(
            image_id=key, image_uri=uri, width=width, height=height, split=split, captions=captions, objects=(thing,)
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MyReader(Reader[Image]):
    """What each worker opens; a dataset in ``catalog.py`` needs none of its own."""

    def open(self) -> Dataset[Image]:
        """The dataset, in this process."""
        return open_mine(self.root, self.recipe.split)


def main() -> None:
    """Make twelve pictures, and build their inpainting manifest on this machine."""
    root = make_pictures(Path("own-dataset"))
    dataset = open_mine(root)
    recipe = DatasetRecipe(
        name="mine", split="train", num_images=len(dataset), part_size=4, fingerprint=dataset.fingerprint()
    )
    reader = MyReader(item=Image, recipe=recipe, root=root.resolve())
    folder = Folder.open("own-manifest")
    masks = MaskPass(folder=folder, recipe=InpaintRecipe(source=recipe), reader=reader)
    [manifest] = build([Job(pass_=masks)], Cluster(num_cpus=2))
    write_report(folder, manifest, root)
    print(f"{manifest.rows} samples in own-manifest, rejected: {manifest.rejected}; see own-manifest/report.html")


def make_pictures(root: Path) -> Path:
    """Squares on grey, so that the example needs no download."""
    (root / "photos").mkdir(parents=True, exist_ok=True)
    lines = list[str]()
    for number in range(12):
        pixels = np.full((96, 128, 3), 128, np.uint8)
        x, y = 20 + 5 * number, 20 + 3 * number
        pixels[y : y + 30, x : x + 30] = (200, 30 + 15 * number, 40)
        Pillow.fromarray(pixels).save(root / f"photos/{number:02}.jpg")
        polygon = [x, y, x + 30, y, x + 30, y + 30, x, y + 30]
        row = {"file": f"photos/{number:02}.jpg", "caption": "a square on grey", "noun": "square", "polygon": polygon}
        lines.append(json.dumps(row))
    (root / "train.jsonl").write_text("\n".join(lines) + "\n")
    return root


if __name__ == "__main__":
    main()
