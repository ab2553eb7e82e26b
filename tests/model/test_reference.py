"""The model equals the paper's picture of it: joint attention under a mask, written a second time in reference.py."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.model.double_precision import compute_in_double
from tests.model.reference import Reference, Reference2, Reference3
from tests.model.tiny import Inputs, inputs, inputs2, inputs3, tiny, tiny2, tiny3

ONE, TWO, EQUAL = ((2, 2),), ((2, 2), (1, 3)), ((2, 2), (1, 4))
CASES: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
    "no expert": (0, {}, {"sides": TWO}),
    "one expert": (1, {}, {"sides": ONE}),
    "sample, one source": (3, {}, {"sides": ONE}),
    "sample, two sources": (3, {}, {"sides": TWO}),
    "sample, shared time": (3, {"source_timestep": "shared"}, {"sides": TWO}),
    "token, one source": (3, {"routing": "token"}, {"sides": ONE}),
    "token, two sources": (3, {"routing": "token"}, {"sides": EQUAL}),
    "token, shared time": (2, {"routing": "token", "source_timestep": "shared"}, {"sides": EQUAL}),
    "guidance": (2, {"guidance_embeds": True}, {"sides": ONE, "guidance": True}),
    "guidance, shared time": (
        2,
        {"guidance_embeds": True, "source_timestep": "shared"},
        {"sides": TWO, "guidance": True},
    ),
    "Fill": (
        2,
        {"in_channels": 24, "out_channels": 8, "guidance_embeds": True},
        {"sides": ONE, "channels": 24, "guidance": True},
    ),
}


KINDS: dict[str, tuple[Any, Any, type[Reference]]] = {
    "FLUX.1": (tiny, inputs, Reference),
    "FLUX.2": (tiny2, inputs2, Reference2),
    "Qwen-Image": (tiny3, inputs3, Reference3),
}
PADDED = {"no expert", "sample, two sources", "token, one source"}
"""The cases in which Qwen-Image's text is of different lengths."""


@pytest.fixture(autouse=True)
def in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    compute_in_double(monkeypatch)


def noise_for(given: Inputs, num_experts: int, routing: str, num_blocks: int = 4) -> Tensor:
    batch, tokens = given.sources[0].tokens.shape[:2]
    place = [tokens] if routing == "token" else []
    shape = (len(given.sources) * batch, num_blocks, *place, num_experts)
    return torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def gradients(sample: Tensor, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a sum of the outputs, each with a weight of its own; zero where nothing depends."""
    weights = torch.randn(sample.shape, generator=torch.Generator().manual_seed(9), dtype=sample.dtype)
    found = torch.autograd.grad((sample * weights).sum(), list(wanted.values()), allow_unused=True)
    return {
        name: torch.zeros_like(value) if gradient is None else gradient
        for (name, value), gradient in zip(wanted.items(), found, strict=True)
    }


@pytest.mark.parametrize("noisy", [False, True], ids=["inference", "with noise"])
@pytest.mark.parametrize("base", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_forward_and_gradients_are_those_of_masked_joint_attention(case: str, base: str, noisy: bool):
    num_experts, form, asked = CASES[case]
    if noisy and not num_experts:
        pytest.skip("there is nothing to route")
    if base == "Qwen-Image" and "guidance_embeds" in form:
        pytest.skip("it has no guidance")
    make, ask, reference = KINDS[base]
    if base == "Qwen-Image" and case in PADDED:
        asked = {**asked, "lengths": (5, 2)}
    model, given = make(num_experts, **form), ask(batch=2, seed=1, gradients=True, **asked)
    model.newcomer_bias = -0.7 if num_experts > 1 else 0.0
    noise = noise_for(given, num_experts, model.config["routing"], model.num_blocks) if noisy else None

    weights = {name: weight.detach().clone().requires_grad_() for name, weight in model.state_dict().items()}
    expected = reference(weights, model.config, model.newcomer_bias)(given, noise)
    wanted = gradients(expected, weights | given.differentiable())
    assert not num_experts or reaches(wanted, ".up", ".down", *(["choose"] if num_experts > 1 else []))

    for checkpointed in (False, True):
        if checkpointed:
            model.enable_gradient_checkpointing()
        sample = model(**given.stock(), source=given.sources, routing_noise=noise).sample
        found = gradients(sample, dict(model.named_parameters()) | given.differentiable())
        assert (sample - expected).abs().max() <= 1e-12
        assert found.keys() == wanted.keys()
        assert max((found[name] - wanted[name]).abs().max() for name in wanted) <= 1e-10


def reaches(found: dict[str, Tensor], *parts: str) -> bool:
    """Gradients of any size arrive at weights of every kind: laws about zeros would prove little."""
    return all(any(found[name].abs().max() > 1e-4 for name in found if part in name) for part in parts)


def test_the_cases_choose_more_than_one_expert():
    """A law of routing that only ever met one choice would prove little."""
    for case in ("sample, one source", "token, one source"):
        num_experts, form, asked = CASES[case]
        model, given = tiny(num_experts, **form), inputs(batch=2, seed=1, **asked)
        cache = model.encode_source(given.sources, pooled_projections=given.pooled)
        assert cache.routing is not None
        choice = cache.routing.choice
        assert len(choice.unique()) == num_experts
        assert (choice[0] != choice[1]).any()
