from pathlib import Path

import pytest

from cologen.datagen.datasets import Dataset, Reading
from cologen.datagen.datasets.files.index import Listing, open_index
from cologen.datagen.datasets.files.readings import IndexedDataset, survivors, worded
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Image, Reason, RejectedError, Rejection

PAIR = Pair(
    pair_id="a", source_uri="s", target_uri="t", width=2, height=1, source_size=(2, 1), split="train",
    instructions=("one", "two"),
)  # fmt: skip


def interpret(key: str, payload: bytes) -> Reading[Image]:
    if payload == b"bad":
        raise RejectedError(Reason.NULL_CAPTION, "no words")
    return Reading(item=Image(image_id=key, image_uri="a.jpg", width=20, height=20, split="train", captions=("a dog",)))


def test_each_row_is_a_picture_or_one_rejection(tmp_path: Path) -> None:
    rows = [("a", b""), ("b", b"bad"), ("a", b"")]
    index = open_index(tmp_path, [], [], lambda: Listing(rows=rows))
    dataset = IndexedDataset(name="some", rows=index, interpret=interpret)
    assert isinstance(dataset, Dataset)
    assert (len(dataset), dataset.fingerprint()) == (3, index.fingerprint)
    readings = [dataset.read(place) for place in range(3)]
    assert [reading.item is not None for reading in readings] == [True, False, False]
    rejections = [(r.sample_id, r.reason) for reading in readings for r in reading.rejections]
    assert rejections == [("some/a", Reason.DUPLICATE_ID), ("some/b", Reason.NULL_CAPTION)]


def test_a_rejection_is_counted_under_its_dataset_and_key(tmp_path: Path) -> None:
    def pair(_: str, payload: bytes) -> Reading[Pair]:
        if payload:
            raise RejectedError(Reason.EMPTY_FILE, "detail")
        return Reading(item=PAIR)

    index = open_index(tmp_path, [], [], lambda: Listing(rows=[("a", b""), ("b", b"bad")]))
    pairs = IndexedDataset(name="source", rows=index, interpret=pair)
    assert pairs.read(0) == Reading(item=PAIR)
    rejection = Rejection(sample_id="source/b", stage="source", reason=Reason.EMPTY_FILE, detail="detail")
    assert pairs.read(1) == Reading(item=None, rejections=(rejection,))


def test_the_instruction_is_the_first_phrasing() -> None:
    assert PAIR.instruction == "one"


def test_words_are_one_line_each_and_said_once() -> None:
    assert worded(["one", None, " one ", "", 3, "two\n three"], "said") == ("one", "two three")
    with pytest.raises(RejectedError, match="null_caption: said: no words"):
        worded([None, " "], "said")
    with pytest.raises(RejectedError, match="empty_instruction: said: no words"):
        worded([], "said", Reason.EMPTY_INSTRUCTION)


def test_a_bad_part_takes_no_other_with_it() -> None:
    def bad() -> str:
        raise RejectedError(Reason.EMPTY_MASK, "nothing")

    made, rejections = survivors("some/a", [("1", lambda: "one"), ("2", bad), ("3", lambda: "three")])
    assert made == ("one", "three")
    assert [(r.sample_id, r.stage, r.reason, r.detail) for r in rejections] == [
        ("some/a@2", "source", Reason.EMPTY_MASK, "nothing")
    ]
