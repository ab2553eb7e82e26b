"""Passes: one picture each on the CPU, on one thread; neighbours of one shape together elsewhere."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cologen.evaluation.networks.passes import exactly, grouped, passed

CPU = torch.device("cpu")


def test_every_input_is_a_pass_of_its_own() -> None:
    seen: list[tuple[int, ...]] = []

    def network(inputs: Tensor) -> Tensor:
        seen.append(tuple(inputs.shape))
        assert torch.get_num_threads() == 1 and torch.is_inference_mode_enabled()
        return inputs.double().sum(dim=(1, 2, 3))[:, None]

    found = passed(network, (torch.full((3, size, 2), 1.0) for size in (1, 1, 4)), CPU)
    assert seen == [(1, 3, 1, 2), (1, 3, 1, 2), (1, 3, 4, 2)]
    assert [float(each[0]) for each in found] == [6, 6, 24]
    assert all(each.dtype == "float32" for each in found)


def test_inputs_are_taken_as_they_are_needed() -> None:
    waiting: list[int] = []

    def inputs() -> object:
        for number in range(3):
            waiting.append(number)
            yield torch.zeros(3, 1, 1)

    def network(each: Tensor) -> Tensor:
        assert len(waiting) <= 2  # this one, and the next to see whether it goes along
        waiting.pop(0)
        return each

    assert len(passed(network, inputs(), CPU)) == 3  # type: ignore[arg-type]


def test_threads_come_back_after_an_error() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError), exactly(CPU):
            raise RuntimeError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@given(st.lists(st.integers(1, 3), max_size=20), st.integers(1, 4))
def test_groups_keep_order_shape_and_size(sides: list[int], most: int) -> None:
    groups = list(grouped((torch.zeros(3, side, side) for side in sides), most))
    assert [each.shape[1] for group in groups for each in group] == sides
    assert all(len({each.shape for each in group}) == 1 and len(group) <= most for group in groups)
    for one, following in pairwise(groups):
        assert len(one) == most or one[0].shape != following[0].shape
