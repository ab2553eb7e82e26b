from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cologen.datagen.world.formats import ade20k_challenge, ade20k_full
from cologen.datagen.world.formats.ade20k_classes import label_map
from cologen.datagen.world.formats.drawing import Drawing, World

pytestmark = pytest.mark.slow

FILES = {"train": "train-00000-of-00001.parquet", "val": "validation-00000-of-00001.parquet"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    root = tmp_path_factory.mktemp("captioned")
    ade20k_challenge.write(root, world)
    return root / "Captioned_ADE20K/data"


def test_columns_have_the_published_types(folder: Path) -> None:
    schema = pq.read_schema(folder / FILES["train"])
    image = "struct<bytes: binary, path: string>"
    assert {name: str(schema.field(name).type).replace("item", "element") for name in schema.names} == {
        "image": image,
        "detailed_prompt": "string",
        "control_seg": image,
        "seg_map": "list<element: list<element: uint8>>",
        "image_path": "string",
        "prompt": "string",
    }


def test_rows_are_the_scenes_and_join_by_file_name(folder: Path, drawings: list[Drawing]) -> None:
    for split, file in FILES.items():
        mine = [drawing for drawing in drawings if drawing.split == split]
        rows = pq.read_table(folder / file).to_pylist()
        for row, drawing in zip(rows, mine, strict=True):
            name = f"ADE_{split}_{drawing.index + 1:08d}.jpg"
            assert Path(row["image_path"]).name == row["image"]["path"] == name
            assert (folder.parents[1] / "ADEChallengeData2016" / row["image_path"]).read_bytes() == row["image"][
                "bytes"
            ]
            assert row["prompt"] == drawing.captions[0]
            assert row["detailed_prompt"]
            labels = label_map(drawing.rendering.class_map)
            np.testing.assert_array_equal(np.array(row["seg_map"], dtype=np.uint8), labels)
            with Image.open(io.BytesIO(row["control_seg"]["bytes"])) as image:
                colors = np.asarray(image).reshape(-1, 3)
            assert len(np.unique(colors, axis=0)) == len(np.unique(labels))


def test_both_forms_of_ade20k_have_the_same_captions(folder: Path, tmp_path: Path, world: World) -> None:
    ade20k_full.write(tmp_path, world)
    for file in FILES.values():
        assert (tmp_path / "Captioned_ADE20K/data" / file).read_bytes() == (folder / file).read_bytes()
