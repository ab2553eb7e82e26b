import pytest

from cologen.datagen.datasets.files.pair_reading import read_condition, read_pair, worded
from cologen.datagen.pair_records import ConditionReading, Pair, PairReading
from cologen.datagen.records import Reason, RejectedError, Rejection

PAIR = Pair(
    pair_id="a", source_uri="s", target_uri="t", width=2, height=1, source_size=(2, 1), split="train",
    instructions=("one", "two"),
)  # fmt: skip


def refuse() -> PairReading:
    raise RejectedError(Reason.EMPTY_FILE, "detail")


def test_a_rejection_is_counted_under_its_source_and_key() -> None:
    assert read_pair("source", "a", lambda: PairReading(pair=PAIR)) == PairReading(pair=PAIR)
    rejection = Rejection(sample_id="source/a", stage="source", reason=Reason.EMPTY_FILE, detail="detail")
    assert read_pair("source", "a", refuse) == PairReading(pair=None, rejections=(rejection,))

    def refused() -> ConditionReading:
        raise RejectedError(Reason.EMPTY_FILE, "detail")

    assert read_condition("source", "a", refused) == ConditionReading(condition=None, rejections=(rejection,))


def test_the_instruction_is_the_first_phrasing() -> None:
    assert PAIR.instruction == "one"


def test_words_are_one_line_each_and_said_once() -> None:
    assert worded(["one", None, " one ", "", 3, "two\n three"], "said") == ("one", "two three")
    with pytest.raises(RejectedError, match="null_caption: said: no words"):
        worded([None, " "], "said")
    with pytest.raises(RejectedError, match="empty_instruction: said: no words"):
        worded([], "said", Reason.EMPTY_INSTRUCTION)
