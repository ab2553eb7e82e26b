"""The mix is the asked one on any data, and what gets no mask gets a reason."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.masks.drawing import Canvas, DrawnMask, targets
from cologen.datagen.masks.mixture import draw_masks
from cologen.datagen.masks.policy import MaskMix, MaskPolicy
from cologen.datagen.randomness import generator
from cologen.datagen.records import ObjectMask, Reason, RejectedError

DEFAULT = MaskPolicy()
SIDE = 48
NUM_SAMPLES = 5120


@cache
def objects_of(look: int) -> tuple[ObjectMask, ...]:
    """One to three boxes, of 1 to 70 % of the picture."""
    draws = generator(11, "look", look)
    found: list[ObjectMask] = []
    for _ in range(int(draws.integers(1, 4))):
        width, height = draws.integers(5, 41, 2)
        x, y = int(draws.integers(0, SIDE - width)), int(draws.integers(0, SIDE - height))
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[y : y + height, x : x + width] = 1
        counts = rle.encode(mask)
        found.append(ObjectMask(noun="dog", box=rle.box(counts, SIDE, SIDE), rle=counts))
    return tuple(found)


def canvases(number: int, without_objects: float = 0.0, first: int = 0) -> list[Canvas]:
    """Pictures of which this share has no objects."""
    found: list[Canvas] = []
    for index in range(first, first + number):
        look = generator(11, "picture", index)
        objects = () if look.random() < without_objects else objects_of(int(look.integers(100)))
        found.append(Canvas(sample_id=f"world/{index}#0", height=SIDE, width=SIDE, objects=objects))
    return found


def kinds(outcomes: list[DrawnMask | RejectedError]) -> Counter[str]:
    return Counter(one.kind for one in outcomes if isinstance(one, DrawnMask))


@pytest.mark.slow
@pytest.mark.parametrize(("without_objects", "part_size"), [(0.0, 32), (0.1, 512), (0.3, 32), (0.3, 512)])
def test_the_mix_is_the_papers_to_half_a_point(without_objects: float, part_size: int):
    made, usable = Counter[str](), 0
    for part in range(NUM_SAMPLES // part_size):
        of_part = canvases(part_size, without_objects, first=part * part_size)
        made += kinds(draw_masks(of_part, DEFAULT, seed=0, first=part * part_size))
        usable += sum(bool(canvas.objects) for canvas in of_part)
    total = made.total()
    shares = {kind: made[kind] / total for kind in ("random", "object", "irregular")}
    assert shares == pytest.approx({"random": 0.2, "object": 0.4, "irregular": 0.4}, abs=0.005)
    # No other mix of the same shares has more samples: 1 − 20 % of them need an object.
    assert total >= min(NUM_SAMPLES, usable / 0.8) - NUM_SAMPLES // part_size


@pytest.mark.parametrize(
    "mix", [MaskMix(random=1.0, object=0.0, irregular=0.0), MaskMix(random=0.0, object=0.5, irregular=0.5)]
)
def test_a_kind_that_is_not_asked_for_is_not_drawn(mix: MaskMix):
    policy = MaskPolicy(mix=mix, max_object_iou=1.0)
    made = kinds(draw_masks(canvases(300), policy, seed=0, first=0))
    assert made == {kind: 300 * share for kind, share in mix.model_dump().items() if share}


def test_outcomes_stand_in_the_order_of_their_canvases_and_are_deterministic():
    of_part = canvases(60, without_objects=0.3)
    outcomes = draw_masks(of_part, DEFAULT, seed=0, first=4)
    again = draw_masks(of_part, DEFAULT, seed=0, first=4)
    assert len(outcomes) == 60
    for canvas, one, two in zip(of_part, outcomes, again, strict=True):
        if isinstance(one, DrawnMask):
            assert one == two
            assert one.target is None or one.target in canvas.objects
            assert one.kind == "random" or one.target in targets(canvas, DEFAULT)
        else:
            assert isinstance(two, RejectedError)
            assert (one.reason, one.detail) == (two.reason, two.detail)


def test_seed_and_part_decide_which_picture_gets_which_kind():
    of_part = canvases(60)
    outcomes = [draw_masks(of_part, DEFAULT, *key) for key in ((0, 0), (0, 1), (1, 0))]
    given = {tuple(one.kind for one in each if isinstance(one, DrawnMask)) for each in outcomes}
    assert len(given) == 3


def test_pictures_without_objects_get_random_masks_or_a_reason():
    of_part = canvases(200, without_objects=0.7)
    outcomes = draw_masks(of_part, DEFAULT, seed=0, first=0)
    bare = [one for canvas, one in zip(of_part, outcomes, strict=True) if not canvas.objects]
    assert kinds(bare).keys() == {"random"}
    rejected = [one for one in bare if isinstance(one, RejectedError)]
    assert rejected
    assert {one.reason for one in rejected} == {Reason.NO_OBJECTS}
    assert all("share of random masks is full" in one.detail for one in rejected)
    assert kinds(outcomes)["random"] / kinds(outcomes).total() == pytest.approx(0.2, abs=0.01)


def test_without_any_object_nothing_can_be_mixed():
    outcomes = draw_masks(canvases(40, without_objects=1.0), DEFAULT, seed=0, first=0)
    assert all(isinstance(one, RejectedError) and one.reason is Reason.NO_OBJECTS for one in outcomes)
    only_random = MaskPolicy(mix=MaskMix(random=1.0, object=0.0, irregular=0.0))
    assert kinds(draw_masks(canvases(40, without_objects=1.0), only_random, seed=0, first=0)) == {"random": 40}


def full_canvas(index: int) -> Canvas:
    counts = rle.encode(np.ones((16, 16), np.uint8))
    thing = ObjectMask(noun="wall", box=rle.box(counts, 16, 16), rle=counts)
    return Canvas(sample_id=f"full/{index}#0", height=16, width=16, objects=(thing,))


def test_an_object_that_covers_everything_leaves_random_masks_or_a_reason():
    policy = MaskPolicy(max_object_area=1.0)
    outcomes = draw_masks([full_canvas(index) for index in range(50)], policy, seed=0, first=0)
    rejected = [one for one in outcomes if isinstance(one, RejectedError)]
    assert kinds(outcomes).keys() <= {"random"}
    assert kinds(outcomes).total() + len(rejected) == 50
    assert {one.reason for one in rejected} == {Reason.NO_VALID_MASK}
    assert all(one.detail for one in rejected)


def test_where_one_kind_cannot_be_drawn_another_is():
    """Boxes that fill the picture have no irregular mask: it goes to the pictures that can take one."""
    cross = np.zeros((16, 16), np.uint8)
    cross[7:9], cross[:, 7:9] = 1, 1
    counts = rle.encode(cross)
    thing = ObjectMask(noun="cross", box=rle.box(counts, 16, 16), rle=counts)
    crosses = [Canvas(sample_id=f"cross/{index}#0", height=16, width=16, objects=(thing,)) for index in range(20)]
    made = kinds(draw_masks([*crosses, *canvases(80)], DEFAULT, seed=0, first=0))
    assert made == {"random": 20, "object": 40, "irregular": 40}


def test_no_canvases_have_no_masks():
    assert draw_masks([], DEFAULT, seed=0, first=0) == []
