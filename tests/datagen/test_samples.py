"""A row becomes the pixels that training sees: nothing outside the mask is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.manifest import maps
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.review.sheet import TILE_SIDE, fitted, sheet_of, tiles_of
from cologen.datagen.samples import render
from cologen.pictures.masks import HOLE_GREY

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
        "mask_kind": "object",
        "mask_area": 250 / (HEIGHT * WIDTH),
        "object_noun": "dog",
        "object_rle": rle.encode(mask),
        "max_object_iou": 1.0,
        "max_object_coverage": 1.0,
    }


def test_the_hole_is_grey_and_the_rest_is_the_target(row: dict[str, Any], tmp_path: Path) -> None:
    sample = render(row, tmp_path)
    hidden = sample.mask.astype(bool)
    assert hidden.sum() == 250
    assert (sample.source[hidden] == HOLE_GREY).all()
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
    times = tiles["target"].shape[0] // row["height"]  # small pictures are drawn larger
    changed = (tiles["mask and object"] != tiles["target"]).any(axis=2)[::times, ::times]
    assert changed[12:18, 7:28].all()
    assert not changed[25:, 35:].any()


def test_tiles_of_a_concept_row_show_its_objects(row: dict[str, Any], tmp_path: Path) -> None:
    concepts = row | {"task": "concepts", "objects": [{"rle": row["mask_rle"]}]}
    tiles = tiles_of(concepts, tmp_path)
    assert list(tiles) == ["picture", "objects"]
    assert (tiles["objects"] != tiles["picture"]).any()


def test_a_sheet_fills_its_last_line_with_white(row: dict[str, Any], tmp_path: Path) -> None:
    sheet = np.asarray(sheet_of([row, row, row], tmp_path, columns=2))
    top, left = sheet.shape[0] // 2 + 30, sheet.shape[1] // 2
    assert (sheet[top:, left:] == 255).all()
    assert (sheet[top:, :left] < 255).any()


def test_a_sheet_shows_the_caption(row: dict[str, Any], tmp_path: Path) -> None:
    sheets = [np.asarray(sheet_of([row | {"caption": caption}], tmp_path, columns=1)) for caption in ("a dog", "a cat")]
    differing = np.argwhere((sheets[0] != sheets[1]).any(axis=2))
    assert len(differing)
    tiles_end = 30 + TILE_SIDE * HEIGHT // WIDTH
    assert differing[:, 0].min() > tiles_end - 10


@pytest.mark.parametrize("size", [(40, 60), (512, 300), (300, 1024), (2, 2000)])
def test_what_is_shown_fills_most_of_its_tile_and_never_more(size: tuple[int, int]) -> None:
    fit = fitted(np.zeros((*size, 3), np.uint8), TILE_SIDE)
    assert TILE_SIDE // 2 < max(fit.shape[:2]) <= TILE_SIDE


def test_small_pictures_are_enlarged_pixel_by_pixel() -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    shown = fitted(picture, 7)
    assert shown.shape == (4, 6, 3)
    assert np.array_equal(shown[::2, ::2], picture)
    assert np.array_equal(shown[1::2, 1::2], picture)


@pytest.fixture
def control(row: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A row of control whose condition, of another size than its picture, marks the same quarter of the scene."""
    colours = np.zeros((80, 120, 3), np.uint8)
    colours[:40, 60:] = (10, 200, 90)
    cv2.imwrite(str(tmp_path / "map.png"), colours[:, :, ::-1])
    return row | {
        "task": "control",
        "condition": "segmentation",
        "condition_uri": "map.png",
        "condition_width": 120,
        "condition_height": 80,
        "online": False,
        "canny_low": None,
        "canny_high": None,
        "map_hash": None,
    }


def test_a_condition_is_brought_to_its_picture(control: dict[str, Any], tmp_path: Path) -> None:
    sample = render(control, tmp_path)
    assert sample.source.shape == sample.target.shape == (HEIGHT, WIDTH, 3)
    assert (sample.source[:20, 30:] == (10, 200, 90)).all()
    assert sample.source.any(axis=2).sum() == 20 * 30
    with pytest.raises(RejectedError, match="size_mismatch"):
        render(control | {"condition_width": 121}, tmp_path)


def test_canny_is_drawn_from_the_picture(control: dict[str, Any], tmp_path: Path) -> None:
    sample = render(control | {"condition": "canny", "canny_low": 60, "canny_high": 220}, tmp_path)
    expected = cv2.Canny(np.ascontiguousarray(sample.target), 60, 220)
    assert (sample.source == expected[:, :, None]).all()
    assert sample.source.max() == 255
    assert sample.online is None


def test_what_is_extracted_online_says_by_what(control: dict[str, Any], tmp_path: Path) -> None:
    online = control | {"condition": "hed", "online": True, "condition_uri": None}
    sample = render(online, tmp_path)
    assert sample.online == "hed"
    assert (sample.source == sample.target).all()
    shown = tiles_of(online, tmp_path)
    assert (shown["source"] != shown["target"]).any()


def test_a_map_drawn_in_advance_lies_beside_its_row(control: dict[str, Any], tmp_path: Path) -> None:
    folder = Folder.open(tmp_path / "out")
    folder.create()
    grey = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    data = maps.encode(grey)
    [address] = maps.write_maps(folder, 0, {control["sample_id"]: data}).values()
    drawn = control | {"condition": "lineart", "condition_uri": address, "map_hash": maps.fingerprint(data)}
    drawn |= {"condition_width": WIDTH, "condition_height": HEIGHT}
    assert (render(drawn, tmp_path, folder).source == grey[:, :, None]).all()
    with pytest.raises(ValueError, match="manifest's folder"):
        render(drawn, tmp_path)
