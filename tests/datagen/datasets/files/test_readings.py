from pathlib import Path

from cologen.datagen.datasets.files.index import Listing, open_index
from cologen.datagen.datasets.files.readings import read_row, survivors
from cologen.datagen.records import Image, Reading, Reason, RejectedError


def interpret(key: str, payload: bytes) -> Reading:
    if payload == b"bad":
        raise RejectedError(Reason.NULL_CAPTION, "no words")
    return Reading(
        image=Image(image_id=key, image_uri="a.jpg", width=20, height=20, split="train", captions=("a dog",))
    )


def test_each_row_is_a_picture_or_one_rejection(tmp_path: Path) -> None:
    rows = [("a", b""), ("b", b"bad"), ("a", b"")]
    index = open_index(tmp_path, [], [], lambda: Listing(rows=rows))
    readings = [read_row("some", index, place, interpret) for place in range(3)]
    assert [reading.image is not None for reading in readings] == [True, False, False]
    rejections = [(r.sample_id, r.reason) for reading in readings for r in reading.rejections]
    assert rejections == [("some/a", Reason.DUPLICATE_ID), ("some/b", Reason.NULL_CAPTION)]


def test_a_bad_part_takes_no_other_with_it() -> None:
    def bad() -> str:
        raise RejectedError(Reason.EMPTY_MASK, "nothing")

    made, rejections = survivors("some/a", [("1", lambda: "one"), ("2", bad), ("3", lambda: "three")])
    assert made == ("one", "three")
    assert [(r.sample_id, r.stage, r.reason, r.detail) for r in rejections] == [
        ("some/a@2", "source", Reason.EMPTY_MASK, "nothing")
    ]
