"""The words mean the targets, whole classes are asked for only where all are known, and the mix is the asked one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.grounding.phrasing import cleaned
from cologen.datagen.grounding.policy import GroundingPolicy, ReferringMix
from cologen.datagen.grounding.referring import Referral, draw_referrals
from cologen.datagen.images import Picture
from cologen.datagen.records import Expression, Image, ObjectKind, ObjectMask, Reason, RejectedError

WorldImage = Callable[[int], tuple[Image, Picture]]
DEFAULT = GroundingPolicy()
SIDE = 100


def thing(noun: str | None, x: int, y: int, size: int = 15, kind: ObjectKind = "thing") -> ObjectMask:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + size, x : x + size] = 1
    counts = rle.encode(mask)
    return ObjectMask(noun=noun, box=rle.box(counts, SIDE, SIDE), rle=counts, kind=kind)


def picture_of(*objects: ObjectMask, **known: tuple[object, ...]) -> Image:
    plain = Image(image_id="a", image_uri="a.jpg", width=SIDE, height=SIDE, split="train", objects=objects)
    return replace(plain, **known)


DOGS = (thing("dog", 10, 10), thing("dog", 40, 40), thing("dog", 70, 10))
CAT = thing("cat", 10, 70)


def referrals(image: Image, number: int = 90, policy: GroundingPolicy = DEFAULT) -> list[Referral | RejectedError]:
    return draw_referrals({f"x/{index}#0": image for index in range(number)}, policy, seed=0, first=0)


def made(outcomes: list[Referral | RejectedError]) -> list[Referral]:
    return [one for one in outcomes if isinstance(one, Referral)]


def only(**mix: float) -> GroundingPolicy:
    return GroundingPolicy(mix=ReferringMix(**{"box": 0.0, "mask": 0.0, "instance": 0.0} | mix))


def test_expressions_mean_their_targets(world_image: WorldImage):
    policy = GroundingPolicy(all_instances=0.0)
    for index in range(30):
        image, _ = world_image(index)
        meant = {f"{cleaned(one.text)}": one.targets for one in image.expressions}
        for one in made(referrals(image, 9, policy)):
            if one.referring != "instance":
                assert one.targets == tuple(image.objects[place] for place in meant[one.phrase.text])


def test_the_mix_is_thirds_over_parts_of_any_size(world_image: WorldImage):
    tasks, first = Counter[str](), 0
    for size in (7, 31, 64, 1, 97):
        samples = {f"w/{index}#0": world_image(index % 40)[0] for index in range(first, first + size)}
        tasks += Counter(one.referring for one in made(draw_referrals(samples, DEFAULT, 0, first)))
        first += size
    turned_away = first - tasks.total()
    assert all(abs(tasks[task] - tasks.total() / 3) <= 1 + turned_away for task in ("box", "mask", "instance"))
    assert turned_away <= first * 0.02


def test_an_instance_is_one_of_its_class_and_any_of_them():
    outcomes = made(referrals(picture_of(*DOGS, CAT), 300, only(instance=1.0)))
    assert len(outcomes) == 300
    assert all(len(one.targets) == 1 and one.phrase.marks == "one" for one in outcomes)
    # A choice among several is what the task is about: the lone cat is not asked for.
    assert Counter(one.targets[0] for one in outcomes).keys() == set(DOGS)
    assert min(Counter(one.targets[0] for one in outcomes).values()) > 60


def test_a_whole_class_means_all_of_it_and_a_lone_member_is_called_the():
    for one in made(referrals(picture_of(*DOGS, CAT), 200, only(box=0.5, mask=0.5))):
        if "dog" in one.phrase.text:
            assert one.targets == DOGS
            assert one.phrase.text != "the dog"
        else:
            assert (one.targets, one.phrase.text) == ((CAT,), "the cat")


@pytest.mark.parametrize(
    "image",
    [
        picture_of(*DOGS, CAT, partial_nouns=("dog",)),
        picture_of(*DOGS, CAT, thing("dog", 60, 60, kind="crowd")),
        picture_of(*DOGS, CAT, thing("dog", 60, 60, size=1)),
    ],
    ids=["partial", "crowd", "one too small to mark"],
)
def test_all_are_asked_for_only_where_all_are_known_and_can_be_marked(image: Image):
    outcomes = made(referrals(image, 90))
    for one in outcomes:
        if one.referring != "instance":
            assert one.phrase.text == "the cat"
    # Any one of them may still be asked for.
    assert any("dog" in one.phrase.text for one in outcomes if one.referring == "instance")


def test_what_is_called_the_same_is_one_class():
    both = thing("bow_(weapon)", 10, 10), thing("bow_(decorative_ribbons)", 50, 50)
    assert {one.targets for one in made(referrals(picture_of(*both), 30, only(box=1.0)))} == {both}
    partial = picture_of(*both, partial_nouns=("bow_(weapon)",))
    assert not made(referrals(partial, 30, only(box=1.0)))


def test_stuff_and_nameless_objects_are_no_class():
    outcomes = referrals(picture_of(thing("sky", 0, 0, 60, kind="stuff"), thing(None, 70, 70)))
    assert all(isinstance(one, RejectedError) and one.reason is Reason.NO_OBJECTS for one in outcomes)


def test_a_frame_that_could_not_be_seen_is_not_asked_for():
    wide = np.zeros((SIDE, SIDE), np.uint8)
    wide[50:, :] = 1
    counts = rle.encode(wide)
    sofa = ObjectMask(noun="sofa", box=rle.box(counts, SIDE, SIDE), rle=counts)
    outcomes = made(referrals(picture_of(sofa, CAT), 90))
    assert {one.phrase.text for one in outcomes if one.referring == "mask"} == {"the sofa", "the cat"}
    assert not any("sofa" in one.phrase.text for one in outcomes if one.referring != "mask")


def test_how_often_a_class_is_meant_beside_expressions():
    image = picture_of(*DOGS, expressions=(Expression(text="the left dog", targets=(0,)),))
    outcomes = made(referrals(image, 2000, only(box=1.0)))
    share = sum(len(one.targets) == 3 for one in outcomes) / len(outcomes)
    assert share == pytest.approx(DEFAULT.all_instances, abs=0.03)


def test_blank_expressions_and_too_many_targets_are_not_used():
    blank = picture_of(thing(None, 10, 10), expressions=(Expression(text=" . ", targets=(0,)),))
    assert not made(referrals(blank))
    many = tuple(thing("dog", 2 + 18 * (n % 5), 2 + 18 * (n // 5), 10) for n in range(11))
    assert not made(referrals(picture_of(*many), 30, only(mask=1.0)))


def test_negatives_name_something_absent_as_often_as_asked():
    image = picture_of(*DOGS, absent_nouns=("zebra", "dog", "fire_hydrant"))
    assert all(one.targets for one in made(referrals(image, 300)))
    outcomes = made(referrals(image, 2000, GroundingPolicy(negative=0.25, inverse=0.5)))
    negatives = [one for one in outcomes if not one.targets]
    assert len(negatives) / len(outcomes) == pytest.approx(0.25, abs=0.03)
    assert all("dog" not in one.phrase.text and not one.inverse for one in negatives)
    assert Counter(one.referring for one in negatives).keys() == {"box", "mask", "instance"}
    assert sum(one.inverse for one in outcomes) / (len(outcomes) - len(negatives)) == pytest.approx(0.5, abs=0.04)


def test_pictures_that_can_serve_fewer_tasks_choose_first():
    """Of a picture that is not fully annotated only an instance can be asked: it takes that share first."""
    instance_only = picture_of(*DOGS, partial_nouns=("dog",))
    samples = {f"x/{n}#0": instance_only if n % 3 == 0 else picture_of(*DOGS) for n in range(90)}
    outcomes = draw_referrals(samples, DEFAULT, 0, 0)
    assert Counter(one.referring for one in made(outcomes)) == {"box": 30, "mask": 30, "instance": 30}
    assert all(made([outcome])[0].referring == "instance" for outcome in outcomes[::3])


def test_too_many_of_one_task_are_turned_away():
    outcomes = referrals(picture_of(*DOGS, partial_nouns=("dog",)))
    assert not made(outcomes)
    samples = {f"x/{n}#0": picture_of(*DOGS, partial_nouns=("dog",) if n < 80 else ()) for n in range(100)}
    kept = Counter(one.referring for one in made(draw_referrals(samples, DEFAULT, 0, 0)))
    assert kept == {"box": 10, "mask": 10, "instance": 10}


def test_outcomes_depend_on_seed_and_sample_alone(world_image: WorldImage):
    samples = {f"w/{index}#0": world_image(index)[0] for index in range(40)}
    once, again = (draw_referrals(samples, DEFAULT, 3, 40) for _ in range(2))
    assert made(once) == made(again)
    assert made(once) != made(draw_referrals(samples, DEFAULT, 4, 40))
    assert draw_referrals({}, DEFAULT, 0, 0) == []
