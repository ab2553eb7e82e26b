"""Run lengths hold a mask exactly, agree with dense arrays, and refuse to be read as anything else."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from cologen.datagen import rle
from cologen.datagen.records import Reason, RejectedError

sides = st.integers(1, 12)
masks = arrays.arrays(np.uint8, st.tuples(sides, sides), elements=st.integers(0, 1))
pairs = st.tuples(sides, sides).flatmap(
    lambda shape: st.tuples(*[arrays.arrays(np.uint8, shape, elements=st.integers(0, 1))] * 2)
)
alphabet = st.binary(max_size=14).map(lambda data: bytes(48 + byte % 64 for byte in data))


def compressed(lengths: Sequence[int]) -> bytes:
    """COCO's string of these run lengths, written down from its description."""
    characters = bytearray()
    for place, length in enumerate(lengths):
        value = length - lengths[place - 2] if place > 2 else length
        while not (-16 <= value < 16):
            characters.append(48 + 0x20 + (value & 0x1F))
            value >>= 5
        characters.append(48 + (value & 0x1F))
    return bytes(characters)


def dense(lengths: Sequence[int], height: int, width: int) -> np.ndarray:
    """The pixels of run lengths: down the columns, zeros first."""
    return np.repeat(np.arange(len(lengths)) % 2, lengths).reshape(width, height).T.astype(np.uint8)


@given(arrays.arrays(np.uint8, st.tuples(sides, sides)))
def test_decoding_what_was_encoded_is_the_identity(mask: np.ndarray):
    """Whatever the values: every one but 0 counts as 1."""
    decoded = rle.decode(rle.encode(mask), *mask.shape)
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, mask != 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 5)])
@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_uniform_mask_comes_back(shape: tuple[int, int], value: int):
    counts = rle.encode(np.full(shape, value, dtype=np.uint8))
    assert np.array_equal(rle.decode(counts, *shape), np.full(shape, min(value, 1)))
    assert rle.area(counts) == min(value, 1) * shape[0] * shape[1]


@given(masks, st.integers(1, 3), st.integers(1, 3))
def test_views_encode_as_their_copies(mask: np.ndarray, rows: int, columns: int):
    fixed = mask.copy()
    fixed.setflags(write=False)
    for view in (mask.T, mask[::-1], mask[:, ::-1], mask[::rows, ::columns], np.asfortranarray(mask), fixed):
        assert rle.encode(view) == rle.encode(view.copy())


@given(masks)
def test_encoding_is_pycocotools_own(mask: np.ndarray):
    assert rle.encode(mask) == coco.encode(np.asfortranarray(mask))["counts"]


@given(masks)
def test_area_and_box_are_those_of_the_pixels(mask: np.ndarray):
    counts = rle.encode(mask)
    assert rle.area(counts) == mask.sum()
    assert rle.areas([counts, counts]) == [mask.sum()] * 2
    ys, xs = np.nonzero(mask)
    tight = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else (0, 0, 0, 0)
    assert rle.box(counts, *mask.shape).xyxy() == tight


def test_no_masks_have_no_areas():
    assert rle.areas([]) == []


@given(st.tuples(sides, sides).flatmap(lambda shape: st.lists(arrays.arrays(np.uint8, shape), min_size=1, max_size=4)))
def test_overlaps_are_those_of_the_pixels(found: list[np.ndarray]):
    one, *others = [mask > 127 for mask in found]
    counts, *objects = [rle.encode(mask.astype(np.uint8)) for mask in (one, *others)]
    iou, coverage = rle.overlaps(counts, objects, *one.shape)
    intersections = np.array([(one & other).sum() for other in others])
    unions = np.array([(one | other).sum() for other in others])
    sizes = np.array([other.sum() for other in others])
    np.testing.assert_allclose(iou, intersections / np.maximum(unions, 1), atol=1e-12)
    np.testing.assert_allclose(coverage, intersections / np.maximum(sizes, 1), atol=1e-12)


@given(masks)
def test_runs_are_those_of_the_columns(mask: np.ndarray):
    lengths = rle.runs(rle.encode(mask))
    assert np.array_equal(dense(lengths.tolist(), *mask.shape), mask)
    assert lengths.sum() == mask.size


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=12))
def test_runs_reads_numbers_of_any_length(lengths: list[int]):
    assert rle.runs(compressed(lengths)).tolist() == lengths


def test_the_drawn_example_is_a_box_of_3_by_4():
    expected = [32, 3, 7, 3, 7, 3, 7, 3, 55]
    assert rle.runs(b"P13700000`1").tolist() == expected
    assert compressed(expected) == b"P13700000`1"
    mask = rle.decode(b"P13700000`1", 10, 12)
    assert mask[2:5, 3:7].all()
    assert mask.sum() == 12
    assert rle.box(b"P13700000`1", 10, 12).xyxy() == (3, 2, 7, 5)


@given(masks, sides, sides)
def test_counts_of_another_size_are_refused(mask: np.ndarray, height: int, width: int):
    counts = rle.encode(mask)
    if height * width == mask.size:
        rle.check(counts, height, width)
    else:
        with pytest.raises(ValueError, match=f"cover {mask.size} pixels, expected {height} x {width}"):
            rle.check(counts, height, width)
        with pytest.raises(ValueError, match="expected"):
            rle.decode(counts, height, width)


@given(alphabet, sides, sides)
def test_any_string_is_refused_or_read_right(counts: bytes, height: int, width: int):
    try:
        mask = rle.decode(counts, height, width)
    except ValueError:
        return
    assert np.array_equal(mask, dense(rle.runs(counts).tolist(), height, width))


@given(st.binary(max_size=8))
def test_strings_of_another_alphabet_are_refused(data: bytes):
    assume(not data or any(byte not in range(48, 112) for byte in data))
    with pytest.raises(ValueError, match="not COCO's compressed counts"):
        rle.runs(data)


@given(masks)
def test_a_string_that_breaks_off_is_refused(mask: np.ndarray):
    counts = rle.encode(mask)
    for length in range(len(counts)):
        with pytest.raises(ValueError, match=r"counts|cover"):
            rle.check(counts[:length], *mask.shape)


def test_numbers_of_no_picture_are_refused():
    with pytest.raises(ValueError, match="a number of 13 characters"):
        rle.runs(b"P" * 12 + b"1")
    largest = 2**59 - 1
    comes_round = compressed([largest] * 32 + [32 + 100])
    assert rle.runs(comes_round).sum() == 100
    with pytest.raises(ValueError, match="expected 10 x 10"):
        rle.check(comes_round, 10, 10)
    with pytest.raises(ValueError, match="expected 10 x 10"):
        rle.check(compressed([60, -20, 60]), 10, 10)


@given(
    st.lists(st.lists(st.floats(-4.0, 24.0), min_size=6, max_size=10).filter(lambda it: len(it) % 2 == 0), min_size=1)
)
def test_polygons_cover_what_pycocotools_says(polygons: list[list[float]]):
    height, width = 15, 19
    expected = coco.merge(coco.frPyObjects(cast(Any, polygons), height, width))
    try:
        counts = rle.from_polygons(polygons, height, width)
    except RejectedError:
        assert coco.area(expected) == 0
    else:
        assert counts == expected["counts"]
        rle.check(counts, height, width)


def test_a_polygon_around_whole_pixels_is_their_box():
    counts = rle.from_polygons([[3, 2, 7, 2, 7, 5, 3, 5]], 10, 12)
    assert counts == b"P13700000`1"


BOX = [1.0, 1.0, 6.0, 1.0, 6.0, 6.0, 1.0, 6.0]


@pytest.mark.parametrize(
    ("polygons", "reason"),
    [
        ([], Reason.DEGENERATE_POLYGON),
        ([[]], Reason.DEGENERATE_POLYGON),
        ([[1.0, 1.0, 5.0, 5.0]], Reason.DEGENERATE_POLYGON),
        ([BOX[:-1]], Reason.DEGENERATE_POLYGON),
        ([[4.0, 4.0] * 3], Reason.DEGENERATE_POLYGON),
        ([[*BOX[:-1], float("nan")]], Reason.DEGENERATE_POLYGON),
        ([[*BOX[:-1], float("inf")]], Reason.DEGENERATE_POLYGON),
        ([[value + 20 for value in BOX]], Reason.OUTSIDE_IMAGE),
        ([[value - 20 for value in BOX]], Reason.OUTSIDE_IMAGE),
        ([[1.0, -9.0, 6.0, -9.0, 6.0, -1.0]], Reason.OUTSIDE_IMAGE),
        ([[1.0, 1.0, 1e9, 1.0, 1e9, 5.0]], Reason.OUTSIDE_IMAGE),
        ([[1.0, 1.0, -1e300, 1.0, 4.0, 5.0]], Reason.OUTSIDE_IMAGE),
    ],
)
def test_polygons_that_cover_nothing_are_refused_with_their_reason(polygons: list[list[float]], reason: Reason):
    with pytest.raises(RejectedError) as refused:
        rle.from_polygons(polygons, 10, 12)
    assert refused.value.reason is reason


def test_one_usable_polygon_is_enough():
    assert rle.from_polygons([[1.0, 1.0], BOX, []], 10, 12) == rle.from_polygons([BOX], 10, 12)


@given(masks)
def test_uncompressed_runs_round_trip(mask: np.ndarray):
    counts = rle.encode(mask)
    assert rle.from_uncompressed(rle.runs(counts).tolist(), *mask.shape) == counts


@given(pairs, st.data())
def test_runs_of_no_pixels_change_nothing(pair: tuple[np.ndarray, np.ndarray], data: st.DataObject):
    """pycocotools ends an overlap where two masks both have such a run, so none may be left."""
    counts, others = [], []
    for mask in pair:
        lengths = rle.runs(rle.encode(mask)).tolist()
        split = data.draw(st.integers(0, len(lengths) - 1))
        part = data.draw(st.integers(0, lengths[split]))
        lengths[split : split + 1] = [part, 0, lengths[split] - part]
        counts.append(rle.from_uncompressed(lengths, *mask.shape))
        others.append(rle.encode(mask))
    assert counts == others


@pytest.mark.parametrize("lengths", [[], [5], [6, 7], [14, -2], [-1, 13]])
def test_uncompressed_runs_of_another_size_are_refused(lengths: list[int]):
    with pytest.raises(RejectedError) as refused:
        rle.from_uncompressed(lengths, 3, 4)
    assert refused.value.reason is Reason.MALFORMED_RECORD
