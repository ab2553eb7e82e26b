"""Rows of grounding hold what their pixels need, and the pixels are the marks of what the words mean."""

from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from cologen.datagen import images as pictures
from cologen.datagen import rle
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.grounding import marks
from cologen.datagen.grounding.policy import GroundingPolicy
from cologen.datagen.images.glance import glance
from cologen.datagen.passes.grounding import GroundingRecipe, ground
from cologen.datagen.records import Expression, Image, ObjectMask, Reason, Rejection
from cologen.datagen.world.referring import referring_phrases
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene

NUM_IMAGES = 60
WIDTH, HEIGHT = 192, 144
ALL_ROLES = GroundingPolicy(negative=0.15, inverse=0.2)


@cache
def scene(index: int) -> tuple[Image, bytes]:
    found = sample_scene(9, index)
    rendering = render(found, WIDTH, HEIGHT)
    counts = [rle.encode(mask) for mask in rendering.masks]
    image = Image(
        image_id=f"{index:04d}",
        image_uri=f"{index:04d}.jpg",
        width=WIDTH,
        height=HEIGHT,
        split="train",
        objects=tuple(
            ObjectMask(noun=one.shape, box=rle.box(mask, HEIGHT, WIDTH), rle=mask)
            for one, mask in zip(found.objects, counts, strict=True)
        ),
        expressions=tuple(
            Expression(text=text, targets=(place,))
            for place in range(len(found.objects))
            for text in referring_phrases(found, place)[:3]
        ),
        absent_nouns=("zebra",),
    )
    return image, cv2.imencode(".jpg", rendering.picture[..., ::-1])[1].tobytes()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(NUM_IMAGES):
        image, data = scene(index)
        (folder / image.image_uri).write_bytes(data)
    return folder


def recipe(policy: GroundingPolicy = ALL_ROLES, **settings: Any) -> GroundingRecipe:
    source = DatasetRecipe(name="world", split="train", num_images=NUM_IMAGES, part_size=NUM_IMAGES, fingerprint="x")
    return GroundingRecipe(source=source, policy=policy, **settings)


def rows_of(root: Path, asked: GroundingRecipe) -> tuple[list[dict[str, Any]], list[Rejection]]:
    found = [scene(index)[0] for index in range(NUM_IMAGES)]
    return ground(asked, Part(0, 0, NUM_IMAGES), found, [], partial(glance, root))


def image_of(row: dict[str, Any]) -> Image:
    return scene(int(row["image_uri"][:4]))[0]


@pytest.mark.slow
def test_each_row_changes_exactly_what_it_means(root: Path):
    rows, _ = rows_of(root, recipe())
    for row in rows:
        picture = pictures.decode((root / row["image_uri"]).read_bytes(), (WIDTH, HEIGHT))
        source, target = marks.source_and_target(picture, row)
        changed = (source != target).any(axis=2)
        assert ((target if row["inverse"] else source) == picture).all()
        if row["negative"]:
            assert not changed.any()
        elif row["referring"] == "mask":
            union = rle.decode(row["mask_rle"], HEIGHT, WIDTH).astype(bool)
            assert not changed[~union].any()
            assert changed[union].mean() > 0.9
        else:
            line = marks.frames(row["boxes"], row["line_width"], HEIGHT, WIDTH).astype(bool)
            assert not changed[~line].any()
            assert changed[line].mean() > 0.9


def test_targets_are_objects_of_the_picture(root: Path):
    rows, _ = rows_of(root, recipe())
    assert {row["referring"] for row in rows} == {"box", "mask", "instance"}
    for row in rows:
        objects = {item.box.xyxy(): item for item in image_of(row).objects}
        targets = [objects[box] for box in row["boxes"]]
        assert bool(targets) != row["negative"]
        if row["referring"] == "instance" and targets:
            assert len(targets) == 1
        if row["mask_rle"] is not None:
            union = np.maximum.reduce([rle.decode(one.rle, HEIGHT, WIDTH) for one in targets])
            assert (rle.decode(row["mask_rle"], HEIGHT, WIDTH) == union).all()
        if row["negative"]:
            assert "zebra" in row["phrase"]
        assert row["phrase"].lower() in row["instruction"].lower()
        assert row["color"] in row["instruction"].lower()
        assert row["caption"] == row["instruction"]


def test_rows_fit_their_columns_and_come_back_the_same(root: Path):
    schema = pa.schema(
        [
            pa.field("referring", pa.string(), nullable=False),
            pa.field("phrase", pa.string(), nullable=False),
            pa.field("instruction", pa.string(), nullable=False),
            pa.field("boxes", pa.list_(pa.list_(pa.float32(), 4)), nullable=False),
            pa.field("mask_rle", pa.binary()),
            pa.field("color", pa.string(), nullable=False),
            pa.field("color_rgb", pa.list_(pa.uint8(), 3), nullable=False),
            pa.field("line_width", pa.int32()),
            pa.field("opacity", pa.float32()),
            pa.field("inverse", pa.bool_(), nullable=False),
            pa.field("negative", pa.bool_(), nullable=False),
        ]
    )
    rows, _ = rows_of(root, recipe())
    columns = {name: [row[name] for row in rows] for name in schema.names}
    for row, read in zip(rows, pa.table(columns, schema=schema).to_pylist(), strict=True):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        assert (marks.marked(picture, read) == marks.marked(picture, row)).all()
        assert (row["line_width"] is None) == (row["referring"] == "mask") == (row["opacity"] is not None)


@pytest.mark.slow
def test_variants_are_samples_of_their_own_and_the_same_every_time(root: Path):
    asked = recipe(variants=3)
    rows, rejections = rows_of(root, asked)
    assert len(rows) + len(rejections) == 3 * NUM_IMAGES
    assert len({row["sample_id"] for row in rows}) == len(rows)
    assert rows_of(root, asked) == (rows, rejections)
    assert rows_of(root, recipe(variants=3, seed=1))[0] != rows


def test_a_picture_that_cannot_be_read_is_a_counted_rejection(root: Path, tmp_path: Path):
    rows, rejections = rows_of(tmp_path, recipe(GroundingPolicy()))
    assert not rows
    assert {one.reason for one in rejections} <= {Reason.MISSING_IMAGE, Reason.NO_OBJECTS}
    assert {one.stage for one in rejections} == {"grounding"}


@pytest.mark.slow
def test_without_contrast_no_picture_is_opened_and_every_color_occurs(tmp_path: Path):
    rows, _ = rows_of(tmp_path, recipe(GroundingPolicy(), contrast=False, variants=3))
    assert len({row["color"] for row in rows}) == 13


def test_rejections_met_before_are_passed_on(root: Path):
    before = [Rejection(sample_id="world/bad", stage="source", reason=Reason.MALFORMED_RECORD, detail="x")]
    rows, rejections = ground(recipe(), Part(0, 0, 0), [], before, partial(glance, root))
    assert (rows, rejections) == ([], before)
