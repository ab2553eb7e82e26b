"""The path is straight, its ends are exact, and the times are those of FLUX's own sampler."""

from itertools import pairwise

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

from cologen.model.flow import (
    interpolate,
    logit_normal,
    schedule,
    shift,
    shift_exponent,
    shift_exponent_of_flux2,
    velocity,
)
from cologen.model.presets import preset
from cologen.model.steps import step_times


def draws(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_the_ends_of_the_path_are_exact():
    clean, noise = draws(2, 5, 3, seed=1), draws(2, 5, 3, seed=2)
    ends = interpolate(clean, noise, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.equal(ends[0], clean[0])
    assert torch.equal(ends[1], noise[1])


def test_the_velocity_is_the_derivative_and_leads_back_to_the_picture():
    clean, noise, time = draws(4, 2, 3, 3, seed=1), draws(4, 2, 3, 3, seed=2), draws(4, seed=3).sigmoid()
    noisy = interpolate(clean, noise, time)
    target = velocity(clean, noise)
    later = interpolate(clean, noise, time + 1e-3)
    assert (later - noisy - 1e-3 * target).abs().max() < 1e-14
    assert (noisy - time.reshape(-1, 1, 1, 1) * target - clean).abs().max() < 1e-14


def test_half_precision_pictures_keep_the_precision_of_their_time():
    clean, noise = draws(1, 8, seed=1).bfloat16(), draws(1, 8, seed=2).bfloat16()
    noisy = interpolate(clean, noise, torch.tensor([0.999]))
    assert noisy.dtype == torch.float32
    assert not torch.equal(noisy, noise.float())


def test_logit_normal_times_are_inside_with_the_median_in_the_middle():
    times = logit_normal(draws(20_000, dtype=torch.float32))
    assert times.min() > 0
    assert times.max() < 1
    assert abs(times.median().item() - 0.5) < 0.01
    assert abs((times < torch.tensor(1.0).sigmoid()).double().mean().item() - 0.8413) < 0.01  # Φ(1)


def test_logit_normal_times_of_half_precision_draws_are_in_single():
    assert logit_normal(draws(4).bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(("num_tokens", "exponent"), [(256, 0.5), (4096, 1.15)])
def test_the_shift_passes_through_its_two_points(num_tokens: int, exponent: float):
    assert shift_exponent(num_tokens) == pytest.approx(exponent, abs=1e-15)


@pytest.mark.parametrize("num_tokens", [64, 1024, 3025, 8192])
def test_the_shift_is_that_of_flux(num_tokens: int):
    assert shift_exponent(num_tokens) == pytest.approx(calculate_shift(num_tokens), abs=1e-15)


@pytest.mark.parametrize("num_tokens", [64, 1024, 4096, 4300, 4301, 8192])
@pytest.mark.parametrize("num_steps", [4, 10, 28, 50, 200])
def test_the_shift_of_flux2_is_that_of_its_pipeline(num_tokens: int, num_steps: int):
    expected = compute_empirical_mu(num_tokens, num_steps)
    assert shift_exponent_of_flux2(num_tokens, num_steps) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_shift_keeps_its_ends_and_its_order(dtype: torch.dtype):
    times = torch.linspace(0, 1, 1001, dtype=dtype)
    for num_tokens in (64, 256, 1024, 3025, 4096):
        shifted = shift(times, shift_exponent(num_tokens))
        assert shifted[0] == 0
        assert shifted[-1] == 1
        assert (shifted.diff() > 0).all()
        assert (shifted[1:-1] > times[1:-1]).all()


@pytest.mark.parametrize("num_steps", [1, 4, 28, 50])
@pytest.mark.parametrize("num_tokens", [64, 1024, 4096])
def test_times_equal_those_of_dev(num_steps: int, num_tokens: int):
    scheduler = FlowMatchEulerDiscreteScheduler(
        shift=3.0,
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        base_image_seq_len=256,
        max_image_seq_len=4096,
    )
    even = [1 - step / num_steps for step in range(num_steps)]
    scheduler.set_timesteps(sigmas=even, mu=calculate_shift(num_tokens))
    assert torch.equal(schedule(num_steps, shift_exponent(num_tokens)), scheduler.sigmas)


@pytest.mark.parametrize("num_steps", [2, 4, 40])
@pytest.mark.parametrize("num_tokens", [64, 1024, 4096, 8192])
def test_times_equal_those_of_qwen_image(num_steps: int, num_tokens: int):
    """Whose scheduler ends at 0.02, and by its preset's own words."""
    of = preset("qwen-image-edit")
    scheduler = FlowMatchEulerDiscreteScheduler(**of.scheduler)
    even = [1 - step / num_steps for step in range(num_steps)]
    scheduler.set_timesteps(sigmas=even, mu=calculate_shift(num_tokens, 256, 8192, 0.5, 0.9))
    times = of.times(num_tokens, num_steps)
    assert torch.equal(times, scheduler.sigmas)
    assert (times[0], times[-1]) == (1, 0)
    assert times[-2] == pytest.approx(0.02, abs=1e-7)
    assert step_times(
        FlowMatchEulerDiscreteScheduler(**of.scheduler), num_steps, None, torch.zeros(1, num_tokens, 1)
    ).equal(scheduler.timesteps)


@pytest.mark.parametrize("num_steps", [1, 4])
def test_times_equal_those_of_schnell(num_steps: int):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False)
    scheduler.set_timesteps(sigmas=[1 - step / num_steps for step in range(num_steps)])
    assert torch.equal(schedule(num_steps, None), scheduler.sigmas)


def test_a_schedule_without_steps_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        schedule(0, None)
    with pytest.raises(ValueError, match="at least 2, got 1"):
        schedule(1, 0.5, last=0.02)


def test_euler_along_a_true_velocity_arrives():
    clean, noise = draws(3, 7, seed=1), draws(3, 7, seed=2)
    times, state = schedule(5, shift_exponent(64)).double(), noise
    for now, then in pairwise(times):
        state = state + (then - now) * velocity(clean, noise)
    assert (state - clean).abs().max() < 1e-14
