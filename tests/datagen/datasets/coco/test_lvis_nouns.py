import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen.datasets.coco.lvis_nouns import nouns

REAL = Path(__file__).resolve().parents[5] / "shared/real/lvis/lvis_v0.5_val_100.json"


def category(identity: int, *synonyms: str) -> dict[str, Any]:
    return {"id": identity, "name": synonyms[0], "synonyms": list(synonyms)}


def test_names_become_words() -> None:
    categories = [
        category(1, "bell_pepper", "capsicum"),
        category(2, "car_(automobile)", "auto"),
        category(3, "T-shirt"),
    ]
    assert nouns(categories) == {"1": "bell pepper", "2": "car", "3": "T-shirt"}
    assert nouns([category(4, "monitor_(computer_equipment) computer_monitor")]) == {"4": "monitor"}
    assert nouns([{"id": 5, "name": "cat"}, {"id": 6, "name": "dog", "synonyms": [None, 3]}]) == {
        "5": "cat",
        "6": "dog",
    }


def test_names_that_differ_in_brackets_stay_apart() -> None:
    categories = [
        category(1, "mouse_(animal_rodent)"),
        category(2, "mouse_(computer_equipment)", "computer_mouse"),
        category(3, "fish"),
        category(4, "fish_(food)"),
        category(5, "bow_(weapon)", "arc"),
        category(6, "bow_(ribbons)", "arc"),
    ]
    assert nouns(categories) == {
        "1": "mouse (animal rodent)", "2": "computer mouse", "3": "fish", "4": "fish (food)", "5": "bow (weapon)",
        "6": "bow (ribbons)",
    }  # fmt: skip


@pytest.mark.skipif(not REAL.is_file(), reason="no sample of LVIS at hand")
def test_no_two_real_categories_share_a_noun() -> None:
    found = nouns(json.loads(REAL.read_text())["categories"])
    assert len(found) == len({noun.lower() for noun in found.values()}) == 1230
    assert not any("_" in noun for noun in found.values())
    assert Counter("(" in noun for noun in found.values())[True] < 12
