"""One size per step in closed form; shares are held over all sizes, every row comes, and one bucket is the plan."""

from collections import Counter

import numpy as np
import pytest

from cologen.trainer.recipes.curriculum import Resolution
from cologen.trainer.schedule.buckets import (
    NUM_CANDIDATES,
    Schedule,
    bucket_sizes,
    nearest_bucket,
    one_component_a_step,
    schedule,
)
from cologen.trainer.schedule.plan import Component, Plan

WIDE = Resolution(side=512, multiple=64, max_aspect=2.0)
SQUARE = Resolution(side=512, multiple=64, max_aspect=1.0)


def plan(global_batch: int = 4, num_rows: tuple[int, ...] = (60, 24)) -> Plan:
    weights = (3.0, 1.0)
    components = (Component(f"component-{i}", rows, weights[i], "f") for i, rows in enumerate(num_rows))
    return Plan(7, tuple(components), global_batch)


def shapes(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mostly 4:3, some squares, some tall."""
    chosen = np.random.default_rng(seed).choice(3, num_rows, p=(0.6, 0.25, 0.15))
    return np.array([640, 512, 400])[chosen], np.array([480, 512, 700])[chosen]


def mixed(global_batch: int = 4) -> Schedule:
    return schedule(plan(global_batch), WIDE, [shapes(60, 0), shapes(24, 1)])


def test_sizes_are_multiples_with_about_the_same_area_and_come_in_both_orientations():
    assert bucket_sizes(WIDE) == ((384, 704), (448, 576), (512, 512), (576, 448), (704, 384))
    assert bucket_sizes(SQUARE) == ((512, 512),)
    fine = bucket_sizes(Resolution(side=512, multiple=16, max_aspect=2.0))
    assert all(width % 16 == height % 16 == 0 for width, height in fine)
    assert all(abs(width * height / 512**2 - 1) < 0.05 for width, height in fine)
    assert all((height, width) in fine for width, height in fine)
    assert max(width / height for width, height in fine) <= 2.0


def test_pictures_go_where_the_factor_between_proportions_is_smallest():
    sizes = bucket_sizes(WIDE)
    widths, heights = np.array([640, 480, 1000, 10, 3000]), np.array([480, 640, 1000, 1000, 16])
    found = nearest_bucket(widths, heights, sizes)
    factors = np.abs(np.log([[w / h / (a / b) for a, b in sizes] for w, h in zip(widths, heights, strict=True)]))
    assert found.tolist() == factors.argmin(axis=1).tolist() == [3, 1, 2, 0, 4]


def test_one_bucket_is_exactly_the_plan():
    whole, found = plan(), schedule(plan(), SQUARE, [])
    for step in (0, 1, 17, 10**9):
        draws, work = whole.batch(step), found.work(step)
        assert work.size == (512, 512)
        assert [one.place for one in work.assignments] == draws.place.tolist()
        assert [one.component for one in work.assignments] == draws.component.tolist()
        assert [one.candidates[0] for one in work.assignments] == draws.row.tolist()
    assert found.facts() == {"512x512": whole.facts()}


def test_a_step_has_rows_of_its_size_only_and_places_of_its_own():
    found, sizes_of = mixed(), [shapes(60, 0), shapes(24, 1)]
    for step in range(40):
        work = found.work(step)
        number = [bucket.size for bucket in found.buckets].index(work.size)
        assert [one.place for one in work.assignments] == list(range(4 * step, 4 * step + 4))
        for one in work.assignments:
            assert len(one.candidates) == NUM_CANDIDATES
            widths, heights = (each[list(one.candidates)] for each in sizes_of[one.component])
            kept = [bucket.size for bucket in found.buckets]
            assert set(nearest_bucket(widths, heights, kept).tolist()) == {number}


def test_shares_are_held_at_every_prefix_over_all_sizes():
    found = mixed()
    buckets = [sum(component.weight for component in bucket.plan.components) for bucket in found.buckets]
    assert sum(buckets) == pytest.approx(4.0)
    within = sum(bucket.plan.mixing.max_deviation for bucket in found.buckets)
    allowed = within + len(buckets) * found.mixing.max_deviation * found.global_batch
    steps, components = Counter(), Counter()
    for step in range(300):
        work = found.work(step)
        steps[work.size] += 1
        components.update(one.component for one in work.assignments)
        for bucket, weight in zip(found.buckets, buckets, strict=True):
            assert abs(steps[bucket.size] - (step + 1) * weight / 4) <= found.mixing.max_deviation + 1e-9
        assert abs(components[0] - 4 * (step + 1) * 0.75) <= allowed


def test_all_rows_of_a_source_come_equally_often():
    found = mixed()
    times = Counter((one.component, one.candidates[0]) for step in range(560) for one in found.work(step).assignments)
    for component, num_rows, expected in ((0, 60, 28.0), (1, 24, 560 / 24)):
        counts = [times[component, row] for row in range(num_rows)]
        assert min(counts) > 0.8 * expected
        assert max(counts) < 1.2 * expected


def test_a_step_has_rows_of_one_number_of_sources_and_each_row_is_in_one_bucket():
    sizes_of, sources_of = [shapes(60, 0), shapes(24, 1)], [np.arange(60) % 2 + 1, np.ones(24, np.int64)]
    found = schedule(plan(), WIDE, sizes_of, sources_of)
    assert len(found.facts()) == len(found.buckets) > len(mixed().buckets)
    held = Counter(
        (component, row)
        for bucket in found.buckets
        for component, rows in zip(bucket.components, bucket.rows, strict=True)
        if rows is not None
        for row in rows.tolist()
    )
    assert len(held) == 84 and set(held.values()) == {1}
    for work in map(found.work, range(40)):
        assert {int(sources_of[a.component][row]) for a in work.assignments for row in a.candidates} == {
            work.num_sources
        }
        assert work[:2].num_sources == work.num_sources
    weights = {bucket: sum(each.weight for each in bucket.plan.components) for bucket in found.buckets}
    assert sum(weights.values()) == pytest.approx(4.0)
    assert sum(weights[each] for each in weights if each.num_sources == 2) == pytest.approx(1.5)


def test_rows_of_one_number_of_sources_are_planned_as_rows_of_one_source():
    sources_of = [np.full(60, 3), np.full(24, 3)]
    for resolution, sizes_of in ((WIDE, [shapes(60, 0), shapes(24, 1)]), (SQUARE, [])):
        plain, found = (schedule(plan(), resolution, sizes_of, of) for of in ([], sources_of))
        for step in range(20):
            assert found.work(step).assignments == plain.work(step).assignments
            assert (plain.work(step).num_sources, found.work(step).num_sources) == (1, 3)


def test_rows_of_a_bucket_too_small_for_a_batch_go_to_the_nearest_one():
    found = mixed(global_batch=16)
    assert all(sum(component.num_rows for component in bucket.plan.components) >= 16 for bucket in found.buckets)
    assert sum(component.num_rows for bucket in found.buckets for component in bucket.plan.components) == 84
    alone = mixed(global_batch=200)
    assert len(alone.buckets) == 1
    assert sum(component.num_rows for component in alone.buckets[0].plan.components) == 84


def test_spares_are_spread_over_all_rows():
    found = schedule(plan(num_rows=(60, 60)), SQUARE, [])
    spares = Counter(one.candidates[1] for step in range(60) for one in found.work(step).assignments)
    assert set(spares) == set(range(60))
    assert max(spares.values()) <= 8


def test_steps_count_from_zero():
    with pytest.raises(ValueError, match="got -1"):
        mixed().work(-1)


def test_with_one_component_a_step_the_steps_are_shared_by_weight_and_every_row_comes():
    found = one_component_a_step(plan(4, (60, 24)), (32, 32))
    works = [found.work(step) for step in range(40)]
    numbers = [{each.component for each in work.assignments} for work in works]
    assert all(len(each) == 1 for each in numbers)
    assert sum(each == {0} for each in numbers) == 30 and sum(each == {1} for each in numbers) == 10
    rows = [each.candidates[0] for work in works for each in work.assignments if each.component == 1]
    assert set(rows[:24]) == set(range(24))
    places = [each.place for work in works for each in work.assignments]
    assert places == list(range(160))
    assert list(found.facts()) == ["32x32", "32x32 component-1"]
