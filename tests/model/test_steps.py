"""The steps of a call: when the model is asked, and where its answers lead."""

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from cologen.model.flow import schedule, shift_exponent
from cologen.model.steps import EulerStep, SchedulerStep, step_times


def test_times_go_down_to_the_last_step_and_can_be_given():
    scheduler, latents = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), torch.zeros(1, 256, 4)
    times = step_times(scheduler, 4, None, latents)
    assert len(times) == 4
    assert times[0] == 1000
    assert (times.diff() < 0).all()
    assert len(step_times(scheduler, 4, [1.0, 0.5], latents)) == 2
    with pytest.raises(ValueError, match="at least one step, got 0"):
        step_times(scheduler, 0, None, latents)
    ending = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift_terminal=0.02)
    for given in ((1, None), (4, [1.0])):
        with pytest.raises(ValueError, match="at least two steps, got 1"):
            step_times(ending, *given, latents)


def test_a_scheduler_s_steps_and_euler_s_are_the_same():
    scheduler, start = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), torch.ones(2, 256, 4)
    scheduled = [SchedulerStep(scheduler, timestep) for timestep in step_times(scheduler, 4, None, start)]
    latents = others = start
    for one, other in zip(scheduled, EulerStep.all(schedule(4, shift_exponent(256))), strict=True):
        torch.testing.assert_close(one.time(latents), other.time(others))
        latents, others = one.moved(latents, latents.sin()), other.moved(others, others.sin())
    torch.testing.assert_close(latents, others)
