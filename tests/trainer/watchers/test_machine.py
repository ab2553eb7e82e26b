"""What is reached of a GPU is said where the GPU is known, and left out elsewhere."""

import pytest
import torch

from cologen.model.gpus import GPUS, gpu_of_device
from cologen.trainer.distributed import Processes
from cologen.trainer.dry_run.estimates import Setup, operations_per_sample, seconds
from cologen.trainer.recipes.paper import cologen_flux
from cologen.trainer.watchers.machine import UNKNOWN, Machine, machine_of
from tests.trainer.made_up import ALONE


def test_the_reached_share_is_the_utilization_with_which_the_dry_run_has_this_speed():
    recipe, setup = cologen_flux(), Setup(gpu=GPUS["h100"], num_gpus=8, sharded=True, utilization=0.375)
    operations = operations_per_sample(recipe, 2)
    machine = Machine(peak=8 * GPUS["h100"].peak, operations={2: operations})
    assert machine.peak_share(2, 1 / seconds(float(operations), setup)) == pytest.approx(0.375)


def test_a_cpu_has_no_share_and_no_memory():
    for machine in (UNKNOWN, machine_of(ALONE, {0: 10**9})):
        assert machine.peak_share(0, 5.0) is None
        assert machine.memory() is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="it needs a GPU")
def test_memory_is_what_was_held_at_most():
    device = torch.device("cuda")
    held = torch.zeros(10**8, device=device)
    del held
    found = machine_of(Processes(0, 1, device), {0: 10**9}).memory()
    assert found is not None and found >= 0.4


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA H100 PCIe", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("NVIDIA GH200 480GB", None),
    ],
)
def test_variants_and_parts_of_a_gpu_are_not_taken_for_it(device: str, name: str | None):
    found = gpu_of_device(device)
    assert (found.name if found else None) == name
