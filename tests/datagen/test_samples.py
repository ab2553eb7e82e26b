"""A row becomes the pixels that training sees: nothing outside the mask is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.samples import HOLE, render
from cologen.datagen.sheet import TILE_SIDE, contact_sheet, fitted, tiles_of

HEIGHT, WIDTH = 40, 60


@pytest.fixture
def row(tmp_path: Path) -> dict[str, Any]:
    picture = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:20, 5:30] = 1
    return {
        "sample_id": "x/a#0",
        "task": "inpaint",
        "image_uri": "a.png",
        "width": WIDTH,
        "height": HEIGHT,
        "caption": "noise",
        "mask_rle": rle.encode(mask),
        "object_rle": rle.encode(mask),
    }


def test_the_hole_is_grey_and_the_rest_is_the_target(row: dict[str, Any], tmp_path: Path) -> None:
    sample = render(row, tmp_path)
    hidden = sample.mask.astype(bool)
    assert hidden.sum() == 250
    assert (sample.source[hidden] == HOLE).all()
    assert (sample.source[~hidden] == sample.target[~hidden]).all()
    assert sample.prompt == "noise"
    np.testing.assert_array_equal(sample.target, cv2.imread(str(tmp_path / "a.png"))[:, :, ::-1])


def test_a_picture_of_another_size_is_rejected(row: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as caught:
        render(row | {"width": WIDTH + 1}, tmp_path)
    assert caught.value.reason == Reason.SIZE_MISMATCH


def test_a_row_without_pixels_is_refused(row: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="concepts"):
        render(row | {"task": "concepts"}, tmp_path)


def test_tiles_show_the_mask_and_the_object(row: dict[str, Any], tmp_path: Path) -> None:
    tiles = tiles_of(row, tmp_path)
    assert list(tiles) == ["source", "target", "mask and object"]
    changed = (tiles["mask and object"] != tiles["target"]).any(axis=2)
    assert changed[12:18, 7:28].all()
    assert not changed[25:, 35:].any()


def test_tiles_of_a_concept_row_show_its_objects(row: dict[str, Any], tmp_path: Path) -> None:
    concepts = row | {"task": "concepts", "objects": [{"rle": row["mask_rle"]}]}
    tiles = tiles_of(concepts, tmp_path)
    assert list(tiles) == ["picture", "objects"]
    assert (tiles["objects"] != tiles["picture"]).any()


def test_a_sheet_fills_its_last_line_with_white(row: dict[str, Any], tmp_path: Path) -> None:
    sheet = contact_sheet([row, row, row], tmp_path, columns=2)
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 2
    assert (sheet[height:, width:] == 255).all()
    assert (sheet[:height, :width] == sheet[:height, width:]).all()


@pytest.mark.parametrize("size", [(40, 60), (512, 300), (300, 1024), (2, 2000)])
def test_fitting_never_enlarges(size: tuple[int, int]) -> None:
    fit = fitted(np.zeros((*size, 3), np.uint8), TILE_SIDE)
    assert max(fit.shape[:2]) == min(max(size), TILE_SIDE)
