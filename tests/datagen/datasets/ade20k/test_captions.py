import pytest

from cologen.datagen.datasets.ade20k.captions import compose
from cologen.datagen.records import Box, ObjectKind, ObjectMask


def item(noun: str, side: float, kind: ObjectKind = "thing") -> ObjectMask:
    return ObjectMask(noun=noun, box=Box(x0=0.0, y0=0.0, x1=float(side), y1=float(side)), rle=b"", kind=kind)


SHORE = [item("sky", 9, "stuff"), item("sky", 3, "stuff"), item("sea", 5, "stuff")]
ATTIC = "an attic with two chests of drawers and three boxes"
BEDROOM = [item("lamp", 2), item("bed", 9), item("window", 3), item("lamp", 3)]


@pytest.mark.parametrize(
    ("scene", "objects", "caption"),
    [
        ("bedroom", BEDROOM, "a bedroom with a bed, two lamps and a window"),
        ("airport_terminal", [], "an airport terminal"),
        ("misc", BEDROOM[:2], "a bed and a lamp"),
        ("~not labeled", [], ""),
        ("street", [item("person", 1)] * 6 + [item("bus", 8)] * 2, "a street with two buses and several people"),
        ("beach", SHORE, "a beach with sky and sea"),
        ("attic", [item("chest of drawers", 3)] * 2 + [item("box", 1)] * 3, ATTIC),
        ("", [item(noun, side) for side, noun in enumerate("abcdefg", start=1)], "a g, a f, an e and a d"),
    ],
)  # fmt: skip
def test_the_scene_and_its_largest_objects_are_named(scene: str, objects: list[ObjectMask], caption: str) -> None:
    assert compose(scene, objects) == caption


def test_nouns_of_the_full_form_are_counted_as_english_counts_them() -> None:
    found = (("umbrella", 1), ("scissors", 1), ("knife", 2), ("clothes", 3))
    objects = [item(noun, 9 - place) for place, (noun, count) in enumerate(found) for _ in range(count)]
    assert compose("", objects) == "clothes, two knives, an umbrella and a pair of scissors"
