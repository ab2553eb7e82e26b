"""One plan for any number of ranks: pure, seekable, every row once an epoch, shares held at every prefix."""

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cologen.trainer.schedule.plan import Component, Draw, Draws, Plan

SOURCES = (
    Component("journeydb", 70, 0.7, "a"),
    Component("ade20k", 13, 0.2, "b"),
    Component("cocostuff", 5, 0.1, "c"),
)
PLAN = Plan(seed=3, components=SOURCES, global_batch=16)


def draws(plan: Plan, steps: range) -> list[Draw]:
    return [draw for step in steps for draw in plan.batch(step)]


@pytest.mark.parametrize("world_size", [1, 2, 8])
def test_ranks_together_draw_the_same_in_the_same_order(world_size: int):
    for step in (0, 7, 10**9):
        slices = [PLAN.slice_for(rank, world_size, micro_batch=2) for rank in range(world_size)]
        assert [draw for part in slices for draw in PLAN.batch(step)[part]] == list(PLAN.batch(step))


def test_any_step_is_the_same_whoever_asks_and_when():
    seen = [list(PLAN.batch(step)) for step in range(30)]
    elsewhere = pickle.loads(pickle.dumps(PLAN))
    assert [list(elsewhere.batch(step)) for step in reversed(range(30))] == seen[::-1]


@settings(max_examples=20)
@given(global_batch=st.sampled_from([1, 3, 8, 40]), start=st.integers(0, 10**7))
def test_batches_of_any_size_cut_the_same_sequence(global_batch: int, start: int):
    cut = Plan(3, SOURCES, global_batch)
    first = start * 240  # where batches of all these sizes begin
    steps = range(first // global_batch, (first + 240) // global_batch)
    assert draws(cut, steps) == draws(PLAN, range(first // 16, (first + 240) // 16))


def test_every_row_comes_once_in_each_epoch():
    seen = Counter((draw.component, draw.epoch, draw.row) for draw in draws(PLAN, range(60)))
    assert set(seen.values()) == {1}
    for number, component in enumerate(SOURCES):
        finished = PLAN.counts(960)[component.name] // component.num_rows
        assert finished >= 9
        for epoch in range(finished):
            assert {row for s, e, row in seen if (s, e) == (number, epoch)} == set(range(component.num_rows))


def test_epochs_components_and_seeds_have_orders_of_their_own():
    def order(plan: Plan, component: int, epoch: int) -> list[int]:
        return [draw.row for draw in draws(plan, range(60)) if (draw.component, draw.epoch) == (component, epoch)]

    orders = [order(PLAN, 0, 0), order(PLAN, 0, 1), order(Plan(4, SOURCES, 16), 0, 0)]
    assert len({tuple(each) for each in orders}) == 3
    twins = Plan(0, (Component("a", 50, 1.0, "x"), Component("b", 50, 1.0, "x")), 16)
    assert order(twins, 0, 0) != order(twins, 1, 0)


@settings(max_examples=20)
@given(start=st.integers(0, 10**9), weights=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1)))
def test_shares_hold_at_every_prefix_to_one_sample(start: int, weights: tuple[float, float, float]):
    components = tuple(Component(str(i), 10**7, weight, "f") for i, weight in enumerate(weights))
    plan = Plan(0, components, 64)
    before = np.array([*plan.counts(start * 64).values()])
    chosen = plan.batch(start).component[:, None] == np.arange(3)
    counts = before + np.cumsum(chosen, axis=0)
    exact = (start * 64 + np.arange(1, 65))[:, None] * np.array(weights) / sum(weights)
    # Floats of 10^11 samples are good to a few hundredths, and so are weights that had to be rounded.
    assert np.abs(counts - exact).max() < 1 + 64 * start / 2**30 + 1e-4
    assert counts[-1].tolist() == [*plan.counts((start + 1) * 64).values()]


def test_places_number_the_samples_of_the_run():
    assert PLAN.batch(5).place.tolist() == list(range(80, 96))
    part: Draws = PLAN.batch(5)[4:6]
    assert len(part) == 2
    assert [draw.place for draw in part] == [84, 85]


def test_a_lone_row_is_drawn_for_ever():
    plan = Plan(0, (Component("one", 1, 1.0, "f"),), 4)
    assert [(draw.row, draw.epoch) for draw in plan.batch(1)] == [(0, 4), (0, 5), (0, 6), (0, 7)]


def test_the_fingerprint_knows_all_that_decides_the_plan():
    first, *rest = SOURCES
    others = [
        Plan(4, SOURCES, 16),
        Plan(3, SOURCES, 8),
        Plan(3, SOURCES[::-1], 16),
        Plan(3, SOURCES[:2], 16),
        Plan(3, (Component(first.name, 71, first.weight, "a"), *rest), 16),
        Plan(3, (Component(first.name, 70, 0.8, "a"), *rest), 16),
        Plan(3, (Component(first.name, 70, first.weight, "other rows"), *rest), 16),
        Plan(3, (Component("laion", 70, first.weight, "a"), *rest), 16),
    ]
    assert Plan(3, SOURCES, 16).fingerprint() == PLAN.fingerprint()
    assert len({plan.fingerprint() for plan in (PLAN, *others)}) == 9


def test_a_batch_that_cannot_be_shared_out_says_what_can():
    with pytest.raises(ValueError, match=r"16 cannot be divided over 3 processes in micro batches of 2.*multiple of 6"):
        PLAN.slice_for(0, 3, micro_batch=2)
    with pytest.raises(ValueError, match=r"rank must be in \[0, 2\), got 2"):
        PLAN.slice_for(2, 2)


@pytest.mark.parametrize(
    ("components", "global_batch", "words"),
    [
        ((), 8, "at least one component"),
        (SOURCES, 0, "global_batch must be at least 1"),
        ((SOURCES[0], SOURCES[0]), 8, "2 components are called journeydb"),
        ((Component("a", 0, 1.0, "f"),), 8, "a has no rows"),
        ((Component("a", 4, 0.0, "f"),), 8, "a has weight 0.0"),
    ],
)
def test_what_cannot_be_planned_is_refused(components: tuple[Component, ...], global_batch: int, words: str):
    with pytest.raises(ValueError, match=words):
        Plan(0, components, global_batch)


def test_steps_count_from_zero():
    with pytest.raises(ValueError, match="steps count from 0"):
        PLAN.batch(-1)
