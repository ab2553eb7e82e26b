import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen import images
from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.multigen_parquet import open_multigen_parquet
from cologen.datagen.pair_records import Condition
from cologen.datagen.records import Reason
from cologen.datagen.world.formats import ade20k_challenge, multigen
from cologen.datagen.world.formats.drawing import World, draw

WORLD = World(num_scenes=4, width=96, height=80, seed=5)


def picture(width: int = 64, height: int = 48) -> dict[str, Any]:
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "red").save(file, "JPEG")
    return {"bytes": file.getvalue(), "path": None}


def source(root: Path, *rows: dict[str, Any]) -> Dataset[Condition]:
    pq.write_table(pa.Table.from_pylist(list(rows)), root / "train-00000-of-02292-0123456789abcdef.parquet")
    return open_multigen_parquet(root)


@pytest.mark.parametrize(
    ("columns", "name", "kind", "condition"),
    [
        ({"text": "words"}, "multigen", None, None),
        ({"text": "words", "control_depth": picture(80, 60)}, "multigen_depth", "depth", "control_depth"),
        ({"prompt": "words", "control_seg": picture(80, 60)}, "ade20k", "segmentation", "control_seg"),
        (
            {"prompt": "words", "control_seg": picture(80, 60), "panoptic_seg_map": [[1]]},
            "cocostuff", "segmentation", "control_seg",
        ),
    ],
)  # fmt: skip
def test_every_form_is_told_by_its_columns(
    columns: dict[str, Any], name: str, kind: str | None, condition: str | None, tmp_path: Path
) -> None:
    rows = source(tmp_path, {"image": picture(), **columns})
    found = rows.read(0).item
    assert isinstance(rows, Dataset) and rows.name == name and found is not None
    stem = "train-00000-of-02292-0123456789abcdef"
    assert (found.condition_id, found.image_uri) == (f"{stem}/000000", f"{stem}.parquet#row=0&column=image")
    assert found.condition_uri == (f"{stem}.parquet#row=0&column={condition}" if condition else None)
    assert (found.kind, found.condition_size) == (kind, (80, 60) if condition else None)
    assert (found.width, found.height, found.prompt) == (64, 48, "words")


def test_every_bad_row_is_counted_and_takes_no_other_with_it(tmp_path: Path) -> None:
    good = {"image": picture(), "text": "words", "control_depth": picture()}
    rows = source(
        tmp_path,
        good,
        {**good, "text": None},
        {**good, "text": " "},
        {**good, "image": None},
        {**good, "control_depth": None},
        {**good, "control_depth": {"bytes": b"no picture", "path": None}},
        good,
    )
    rejections = [rejection for i in range(len(rows)) for rejection in rows.read(i).rejections]
    assert [rejection.reason for rejection in rejections] == [
        *[Reason.NULL_CAPTION] * 2,
        *[Reason.MISSING_IMAGE] * 2,
        Reason.NOT_AN_IMAGE,
    ]
    assert rejections[0].sample_id == "multigen_depth/train-00000-of-02292-0123456789abcdef/000001"
    assert rows.read(6).item is not None


def test_a_damaged_first_file_hides_the_form_of_the_others_not(tmp_path: Path) -> None:
    source(tmp_path, {"image": picture(), "text": "words", "control_depth": picture()})
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"cut")
    rows = open_multigen_parquet(tmp_path)
    assert rows.name == "multigen_depth" and len(rows) == 2
    assert rows.read(0).rejections[0].reason == Reason.TRUNCATED_IMAGE
    assert rows.read(1).item is not None


def test_missing_columns_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column text: expected image, text; found image, caption"):
        source(tmp_path, {"image": picture(), "caption": "words"})


@pytest.mark.parametrize(
    ("form", "folder", "exact"),
    [
        (multigen.write_plain, ".", None),
        (multigen.write_depth, ".", multigen.depth_map),
        (multigen.write_captioned_cocostuff, ".", multigen.segmentation),
        (ade20k_challenge.write, "Captioned_ADE20K", None),
    ],
)
def test_the_world_comes_back(
    form: Callable[..., None], folder: str, exact: Callable[..., np.ndarray] | None, tmp_path: Path
) -> None:
    form(tmp_path, WORLD)
    root = tmp_path / folder
    for split, indices in {"train": [0, 2, 3], "val": [1]}.items():
        rows = open_multigen_parquet(root, split)
        assert len(rows) == len(indices)
        for place, index in enumerate(indices):
            found, drawing = rows.read(place).item, draw(WORLD, index)
            assert found is not None and found.prompt == drawing.captions[0]
            pixels = images.decode(images.read_bytes(root, found.image_uri))
            assert np.abs(pixels.astype(int) - drawing.rendering.picture).mean() < 8
            if exact and found.condition_uri:
                condition = images.decode_map(images.read_bytes(root, found.condition_uri))
                np.testing.assert_array_equal(condition, exact(drawing))
