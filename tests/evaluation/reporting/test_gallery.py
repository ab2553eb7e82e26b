"""The gallery: the best, the median and the worst outputs by a metric, none of them twice."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cologen.evaluation.records import Picture, ScoreError
from cologen.evaluation.reporting.gallery import Gallery, Shown, chosen_metric, data_uri, shown
from tests.evaluation.reporting.made_up import item, item_metric, metric, numbered, scored, set_metric, table

RED = np.full((8, 16, 3), (255, 0, 0), dtype=np.uint8)


def pictures(item_id: str, output: int) -> Mapping[str, Picture]:
    if item_id == "i3":
        raise ScoreError("bad_input", "the source is damaged")
    return {"source": RED, "output": RED}


def ids(outputs: list[Shown]) -> list[tuple[str, int]]:
    return [(each.item.item_id, each.output) for each in outputs]


def test_outputs_are_sorted_by_the_metric(tmp_path: Path) -> None:
    items = [item(f"i{number}") for number in range(9)]
    lines = [scored(each.item_id, l1=number / 10, n=None if number else 1.0) for number, each in enumerate(items)]
    metrics = [metric("l1"), metric("n")]
    made = table(tmp_path, items, metrics, lines)
    found = shown(Gallery(pictures=pictures, num_each=2), metrics[0], made)
    assert {name: ids(outputs) for name, outputs in found.items()} == {
        "best": [("i8", 0), ("i7", 0)],
        "median": [("i5", 0), ("i4", 0)],
        "worst": [("i0", 0), ("i1", 0)],
    }
    assert found["worst"][0].values == {"l1": 0.0, "n": 1.0}
    assert found["best"][0].values == {"l1": 0.8}


def test_few_outputs_are_shown_once_each(tmp_path: Path) -> None:
    items = [item("a", num_outputs=2)]
    made = table(tmp_path, items, [metric()], [scored("a", 0, clip_i=0.1), scored("a", 1, clip_i=0.9)])
    found = shown(Gallery(pictures=pictures, num_each=4), metric(), made)
    assert {name: ids(outputs) for name, outputs in found.items()} == {
        "best": [("a", 1)],
        "median": [],
        "worst": [("a", 0)],
    }


def test_a_picture_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    made = table(tmp_path, [item("i3")], [metric()], [scored("i3", clip_i=0.1)])
    (only,) = shown(Gallery(pictures=pictures), metric(), made)["best"]
    assert (only.uris, only.problem) == ({}, "bad_input: the source is damaged")


def test_the_first_metric_with_numbers_sorts_unless_one_is_named(tmp_path: Path) -> None:
    metrics = [set_metric(), metric("a"), item_metric(), metric("b")]
    line = numbered("x", fid=1.0, canny_f1=0.5)
    lines = [type(line)(item_id="x", output=0, statistics=line.statistics, values={"a": None, "b": 1.0})]
    made = table(tmp_path, [item("x")], metrics, lines)
    assert chosen_metric(Gallery(pictures=pictures), metrics, made) is metrics[2]
    assert chosen_metric(Gallery(pictures=pictures, metric="b"), metrics, made) is metrics[3]
    with pytest.raises(ValueError, match=r"\(a, canny_f1, b\), got 'fid'"):
        chosen_metric(Gallery(pictures=pictures, metric="fid"), metrics, made)


def test_pictures_travel_as_small_files() -> None:
    kind, _, data = data_uri(np.tile(RED, (100, 100, 1))).partition(",")
    assert kind == "data:image/jpeg;base64"
    small = Image.open(io.BytesIO(base64.b64decode(data)))
    assert small.size == (256, 128)
    assert np.abs(np.asarray(small)[64, 128].astype(int) - (255, 0, 0)).max() < 12
    assert Image.open(io.BytesIO(base64.b64decode(data_uri(RED).partition(",")[2]))).size == (256, 128)
