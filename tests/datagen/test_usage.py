"""What an option cannot be is said by its name, with what was expected and what came."""

from dataclasses import dataclass

import pytest
from pydantic import BaseModel, Field, model_validator

from cologen.datagen.usage import refusals_named, require_device, require_gpus, require_range


@dataclass
class Options:
    part_size: float | None = None
    gpus: float = 0.0
    device: str = "auto"


@pytest.mark.parametrize("value", [None, 1, 1.0, 2.5, 3])
def test_what_is_in_range_passes(value: float | None) -> None:
    require_range(Options(part_size=value), "part_size", least=1, most=3)
    require_range(Options(part_size=value), "part_size", above=0)
    require_range(Options(part_size=value), "part_size")


@pytest.mark.parametrize("value", [0.999, 3.001, float("nan"), float("inf"), -float("inf")])
def test_what_is_not_is_named_with_its_bounds(value: float) -> None:
    with pytest.raises(ValueError, match=rf"--part-size must be at least 1 and at most 3, got {value}"):
        require_range(Options(part_size=value), "part_size", least=1, most=3)


def test_a_bound_may_be_left_out() -> None:
    with pytest.raises(ValueError, match="--part-size must be above 0, got 0"):
        require_range(Options(part_size=0), "part_size", above=0)
    with pytest.raises(ValueError, match="--part-size must be a finite number, got nan"):
        require_range(Options(part_size=float("nan")), "part_size")


@pytest.mark.parametrize("gpus", [-1, -0.5, 1.5, float("nan")])
def test_gpus_are_shared_or_whole(gpus: float) -> None:
    for fine in (0, 0.25, 1.0, 2.0, 8):
        require_gpus(Options(gpus=fine), "gpus")
    with pytest.raises(ValueError, match="--gpus must be"):
        require_gpus(Options(gpus=gpus), "gpus")


@pytest.mark.parametrize("device", ["tpu", "", "cuda:", "cuda:x", "CPU"])
def test_devices_are_known_kinds(device: str) -> None:
    for known in ("auto", "cpu", "cuda", "cuda:1"):
        require_device(Options(device=known))
    with pytest.raises(ValueError, match=f"--device must be auto, cpu or cuda, got '{device}'"):
        require_device(Options(device=device))


class Model(BaseModel):
    low: float = Field(ge=0)
    high: float = Field(le=1)

    @model_validator(mode="after")
    def _agrees(self) -> "Model":
        if self.low > self.high:
            raise ValueError("low exceeds high")
        return self


def test_what_pydantic_refuses_is_one_line() -> None:
    said = r"^low: Input should be .* to 0, got -1; high: Input should be .* to 1, got 2$"
    with pytest.raises(ValueError, match=said), refusals_named():
        Model(low=-1, high=2)
    with pytest.raises(ValueError, match=r"^low exceeds high$"), refusals_named():
        Model(low=1, high=0)
