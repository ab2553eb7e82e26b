from pathlib import Path

import pytest

from cologen.datagen.datasets.ade20k.classes import NOUNS, STUFF, THINGS, noun_of, read_classes

REAL = Path(__file__).resolve().parents[5] / "shared/real/ade20k_challenge/ADEChallengeData2016"


def test_a_hundred_classes_are_things_in_the_order_of_the_label_values() -> None:
    assert (len(NOUNS), len(STUFF), len(THINGS)) == (150, 50, 100)
    # instanceInfo100: 1 bed, 2 windowpane, 10 painting, 50 bus, 100 flag.
    assert [NOUNS[THINGS[category - 1] - 1] for category in (1, 2, 10, 50, 100)] == [
        "bed", "window", "painting", "bus", "flag",
    ]  # fmt: skip


def test_nouns_are_first_names_in_everyday_words() -> None:
    assert noun_of("bed ") == "bed"
    assert noun_of("windowpane, window ") == "window"
    assert noun_of("chest of drawers, chest") == "chest of drawers"


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample of ADE20K at hand")
def test_the_published_list_says_the_same(tmp_path: Path) -> None:
    assert read_classes(REAL) == read_classes(tmp_path)
