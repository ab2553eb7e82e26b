from typing import Any

import pytest

from cologen.datagen.datasets.coco.objects import read_object, read_objects
from cologen.datagen.records import Reason, RejectedError

NOUNS = {"1": "cat", "2": "dog"}
SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]


def thing(identity: Any, category: int, segmentation: Any = SQUARE, **others: Any) -> dict[str, Any]:
    return {"id": identity, "category_id": category, "segmentation": segmentation, **others}


def test_objects_are_found_again_by_the_ids_of_their_annotations() -> None:
    row = {"annotations": [thing(9, 1), thing(8, 2, []), thing(None, 2), thing(7, 2), "gone"]}
    found = read_objects("coco/1", row, NOUNS, (64, 48))
    assert [item.noun for item in found.objects] == ["cat", "dog", "dog"]
    assert found.places == {9: 0, 7: 2}
    assert found.partial_nouns == ("dog",)
    assert [(rejection.sample_id, rejection.reason) for rejection in found.rejections] == [
        ("coco/1@8", Reason.DEGENERATE_POLYGON),
        ("coco/1@4", Reason.MALFORMED_RECORD),
    ]


def test_a_row_without_annotations_is_malformed() -> None:
    with pytest.raises(RejectedError, match="annotations: expected a list"):
        read_objects("coco/1", {}, NOUNS, (64, 48))


def test_crowds_are_told_from_things() -> None:
    runs = {"counts": [48 * 10, 48, 48 * 53], "size": [48, 64]}
    crowd = read_object(thing(1, 1, runs, iscrowd=1), NOUNS, (64, 48))
    assert (crowd.kind, crowd.box.xyxy()) == ("crowd", (10, 0, 11, 48))
    assert read_object(thing(1, 1), NOUNS, (64, 48)).kind == "thing"
