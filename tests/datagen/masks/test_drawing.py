"""A drawn mask keeps the rules of its kind, recomputed here from dense pixels, and is a pure function of its key."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen import rle
from cologen.datagen.masks.drawing import Canvas, DrawnMask, MaskKind, draw, targets
from cologen.datagen.masks.irregular import IrregularShape
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.records import ObjectKind, ObjectMask, Reason, RejectedError

DEFAULT = MaskPolicy()
KINDS: tuple[MaskKind, ...] = ("random", "object", "irregular")
seeds = st.integers(0, 2**32)


def object_of(mask: np.ndarray, kind: ObjectKind = "thing") -> ObjectMask:
    counts = rle.encode(mask)
    return ObjectMask(noun="dog", box=rle.box(counts, *mask.shape), rle=counts, kind=kind)


def ellipse(height: int, width: int, center: tuple[int, int], axes: tuple[int, int]) -> np.ndarray:
    return np.asarray(cv2.ellipse(np.zeros((height, width), np.uint8), center, axes, 0, 0, 360, (1,), -1))


Spot = tuple[tuple[int, int], tuple[int, int], ObjectKind]
Scene = tuple[int, int, int, list[Spot]]


@st.composite
def scenes(draw: st.DrawFn, smallest: int = 0) -> Scene:
    """A picture's number, height and width, 16 to 64 pixels, and up to four ellipses of any size, anywhere in it."""
    height, width = draw(st.integers(16, 64)), draw(st.integers(16, 64))
    centers = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    axes = st.tuples(st.integers(0, width // 2), st.integers(0, height // 2))
    kinds: st.SearchStrategy[ObjectKind] = st.sampled_from(["thing", "thing", "thing", "stuff", "crowd"])
    return (
        draw(st.integers(0, 99)),
        height,
        width,
        draw(st.lists(st.tuples(centers, axes, kinds), min_size=smallest, max_size=4)),
    )


def painted(scene: Scene) -> Canvas:
    number, height, width, spots = scene
    objects = [object_of(ellipse(height, width, center, axes), kind) for center, axes, kind in spots]
    return Canvas(sample_id=f"world/{number}#0", height=height, width=width, objects=tuple(objects))


def dense(counts: bytes, canvas: Canvas) -> np.ndarray:
    return rle.decode(counts, canvas.height, canvas.width).astype(bool)


def overlaps(drawn: DrawnMask, canvas: Canvas) -> tuple[list[float], list[float]]:
    """IoU with, and coverage of, everything that is not stuff."""
    mask = dense(drawn.counts, canvas)
    others = [dense(item.rle, canvas) for item in canvas.objects if item.kind != "stuff"]
    iou = [float((mask & other).sum() / (mask | other).sum()) for other in others]
    coverage = [float((mask & other).sum() / other.sum()) for other in others]
    return iou, coverage


def drawn_or_none(kind: MaskKind, canvas: Canvas, policy: MaskPolicy, seed: int) -> DrawnMask | None:
    try:
        return draw(kind, canvas, policy, seed)
    except RejectedError as error:
        assert error.detail
        assert error.reason in (Reason.NO_OBJECTS, Reason.NO_VALID_MASK)
        return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@given(scenes(), seeds)
def test_what_a_mask_says_of_itself_is_so(kind: MaskKind, scene: Scene, seed: int):
    canvas = painted(scene)
    drawn = drawn_or_none(kind, canvas, DEFAULT, seed)
    if drawn is None:
        return
    iou, coverage = overlaps(drawn, canvas)
    assert drawn.kind == kind
    assert drawn.area == dense(drawn.counts, canvas).mean()
    assert 0 < drawn.area < 1
    assert drawn.max_object_iou == pytest.approx(max(iou, default=0.0))
    assert drawn.max_object_coverage == pytest.approx(max(coverage, default=0.0))
    assert draw(kind, canvas, DEFAULT, seed) == drawn


@pytest.mark.slow
@given(scenes(), seeds, st.sampled_from([0.05, 0.3, 1.0]), st.sampled_from([0.2, 0.7, 1.0]))
def test_a_random_mask_hides_no_more_of_any_object_than_allowed(
    scene: Scene, seed: int, largest_iou: float, largest_coverage: float
):
    canvas = painted(scene)
    policy = MaskPolicy(max_object_iou=largest_iou, max_object_coverage=largest_coverage)
    drawn = drawn_or_none("random", canvas, policy, seed)
    if drawn is not None:
        iou, coverage = overlaps(drawn, canvas)
        assert max(iou, default=0.0) <= largest_iou
        assert max(coverage, default=0.0) <= largest_coverage


@pytest.mark.slow
@given(scenes(), seeds)
def test_a_random_mask_names_the_object_that_it_overlaps_most(scene: Scene, seed: int):
    canvas = painted(scene)
    drawn = drawn_or_none("random", canvas, DEFAULT, seed)
    if drawn is None:
        return
    countable = [item for item in canvas.objects if item.kind != "stuff"]
    iou, _ = overlaps(drawn, canvas)
    if drawn.target is None:
        assert max(iou, default=0) == 0
    else:
        assert iou[countable.index(drawn.target)] == pytest.approx(max(iou))


@pytest.mark.slow
@given(scenes(smallest=1), seeds)
def test_an_object_mask_is_its_object(scene: Scene, seed: int):
    canvas = painted(scene)
    drawn = drawn_or_none("object", canvas, DEFAULT, seed)
    if drawn is not None:
        assert drawn.target in targets(canvas, DEFAULT)
        assert drawn.counts == drawn.target.rle


@pytest.mark.slow
@given(scenes(smallest=1), seeds, st.floats(0, 100))
def test_a_dilated_object_mask_is_its_object_grown_by_a_disk(scene: Scene, seed: int, dilation: float):
    canvas = painted(scene)
    drawn = drawn_or_none("object", canvas, MaskPolicy(dilation=dilation), seed)
    if drawn is not None and drawn.target is not None:
        radius = round(dilation * (canvas.height * canvas.width) ** 0.5 / 512)
        around = cv2.distanceTransform(1 - rle.decode(drawn.target.rle, canvas.height, canvas.width), cv2.DIST_L2, 5)
        mask = dense(drawn.counts, canvas)
        assert mask[dense(drawn.target.rle, canvas)].all()
        assert mask[around < 0.8 * radius - 0.5].all()
        assert not mask[around > 1.2 * radius + 0.5].any()


@pytest.mark.slow
@given(scenes(smallest=1), seeds)
def test_an_irregular_mask_covers_its_objects_box(scene: Scene, seed: int):
    canvas = painted(scene)
    drawn = drawn_or_none("irregular", canvas, DEFAULT, seed)
    if drawn is not None and drawn.target is not None:
        assert drawn.target in targets(canvas, DEFAULT)
        left, top, right, bottom = map(int, drawn.target.box.xyxy())
        assert dense(drawn.counts, canvas)[top:bottom, left:right].all()
        assert drawn.max_object_coverage == 1


@given(scenes(), st.floats(0, 0.3), st.floats(0.3, 1))
def test_targets_are_things_within_the_limits(scene: Scene, smallest: float, largest: float):
    canvas = painted(scene)
    policy = MaskPolicy(min_object_area=smallest, max_object_area=largest)
    expected = [
        item
        for item in canvas.objects
        if item.kind == "thing" and smallest <= dense(item.rle, canvas).mean() <= largest
    ]
    assert list(targets(canvas, policy)) == expected


HALVES = np.zeros((16, 16), np.uint8)
HALVES[:, :8] = 1
FULL = np.ones((16, 16), np.uint8)
CORNERS = np.zeros((16, 16), np.uint8)
CORNERS[[0, -1], [0, -1]] = 1
CORNERS[7:9, 2:14] = 1


def canvas_of(*masks: np.ndarray, sample_id: str = "world/0#0") -> Canvas:
    return Canvas(sample_id=sample_id, height=16, width=16, objects=tuple(map(object_of, masks)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_pictures_get_masks(kind: MaskKind):
    for number in range(50):
        drawn = draw(kind, canvas_of(HALVES, sample_id=f"{number}"), MaskPolicy(max_object_iou=0.9), seed=0)
        assert 0 < drawn.area < 1


@pytest.mark.parametrize("kind", ["object", "irregular"])
def test_an_object_that_is_the_whole_picture_is_no_target(kind: MaskKind):
    with pytest.raises(RejectedError) as refused:
        draw(kind, canvas_of(FULL), DEFAULT, seed=0)
    assert refused.value.reason is Reason.NO_OBJECTS
    with pytest.raises(RejectedError) as refused:
        draw(kind, canvas_of(FULL), MaskPolicy(max_object_area=1.0), seed=0)
    assert refused.value.reason is Reason.NO_VALID_MASK
    assert draw(kind, canvas_of(FULL, HALVES), MaskPolicy(max_object_area=1.0), seed=0).target == object_of(HALVES)


def test_an_object_whose_box_is_the_picture_has_no_irregular_mask():
    assert draw("object", canvas_of(CORNERS), DEFAULT, seed=0).counts == rle.encode(CORNERS)
    with pytest.raises(RejectedError) as refused:
        draw("irregular", canvas_of(CORNERS), DEFAULT, seed=0)
    assert refused.value.reason is Reason.NO_VALID_MASK


@pytest.mark.parametrize("kind", ["object", "irregular"])
@pytest.mark.parametrize("kind_of_object", ["stuff", "crowd"])
def test_regions_and_crowds_are_no_targets(kind: MaskKind, kind_of_object: ObjectKind):
    canvas = replace(canvas_of(), objects=(object_of(HALVES, kind_of_object),))
    with pytest.raises(RejectedError) as refused:
        draw(kind, canvas, DEFAULT, seed=0)
    assert refused.value.reason is Reason.NO_OBJECTS


def test_a_random_mask_that_always_hides_too_much_is_given_up():
    everywhere = [ellipse(16, 16, (x, y), (3, 3)) for x in range(2, 16, 4) for y in range(2, 16, 4)]
    with pytest.raises(RejectedError, match="5 random masks hid too much of an object") as refused:
        draw("random", canvas_of(*everywhere), MaskPolicy(tries=5, max_object_coverage=1e-6), seed=0)
    assert refused.value.reason is Reason.NO_VALID_MASK


@pytest.mark.parametrize("kind", ["random", "irregular"])
def test_each_sample_and_seed_has_a_mask_of_its_own(kind: MaskKind):
    policy = MaskPolicy(max_object_iou=1.0, irregular=IrregularShape(jitter=40.0))
    thing = object_of(ellipse(64, 64, (30, 34), (12, 9)))
    keys = [(f"world/{image}#{variant}", seed) for image in range(4) for variant in range(3) for seed in range(3)]
    found = {
        draw(kind, Canvas(sample_id=sample_id, height=64, width=64, objects=(thing,)), policy, seed).counts
        for sample_id, seed in keys
    }
    assert len(found) == len(keys)


def test_every_target_has_its_turn():
    canvas = canvas_of(HALVES, HALVES[:, ::-1].copy(), HALVES.T.copy())
    chosen = {draw("object", replace(canvas, sample_id=f"{number}"), DEFAULT, seed=0).counts for number in range(60)}
    assert chosen == {item.rle for item in canvas.objects}
