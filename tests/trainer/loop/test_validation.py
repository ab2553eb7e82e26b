"""The means of a validation, worked out by hand."""

import pytest

from tests.trainer.made_up import held_out_sample, validation


def test_rows_are_averaged_by_task_and_tasks_count_alike():
    found = validation(0, 2)
    assert found.of_task("inpaint").tolist() == [2.0, 3.0]
    assert found.per_task == {"inpaint": 2.5, "grounding": pytest.approx(0.6)}
    assert found.loss == 2.5
    assert found.overall == pytest.approx((2.5 + 0.6) / 2)


def test_a_stage_without_rows_of_its_own_task_has_the_loss_of_the_others_alone():
    found = validation(0, 2, own_tasks=())
    assert found.loss is None
    assert found.overall == pytest.approx(1.55)


def test_measures_are_averaged_over_the_samples_that_have_them():
    samples = (
        held_out_sample(0, l1=0.25, l1_outside=0.125),
        held_out_sample(1, l1=0.75),
        held_out_sample(2, "grounding", l1=0.5),
    )
    assert validation(0, 2, samples=samples).measures == {
        "inpaint": {"l1": 0.5, "l1_outside": 0.125},
        "grounding": {"l1": 0.5},
    }
    assert validation(0, 2).measures == {}
