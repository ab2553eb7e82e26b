"""The tables show what was planned, in words that can be read."""

from pathlib import Path

from rich.console import Console

from cologen.model.gpus import GPUS
from cologen.trainer.dry_run.estimates import Setup
from cologen.trainer.dry_run.forecast import forecast_run
from cologen.trainer.dry_run.tables import rendered
from cologen.trainer.recipes.paper import cologen_flux

SETUP = Setup(gpu=GPUS["h100"], num_gpus=8, sharded=True, utilization=0.4)


def test_everything_is_said(tmp_path: Path):
    plan = forecast_run(cologen_flux(), range(5), data=tmp_path, base=None, folder=tmp_path, setup=SETUP)
    console = Console(width=140, record=True, quiet=False, file=(tmp_path / "out").open("w"))
    with console.file:
        console.print(rendered(plan))
    text = console.export_text()
    for words in (
        "8 × h100 FSDP",
        "200,000",
        "12.35 B",
        "4 editing",
        "learning rate",
        "activations",
        "4 × 8 × 8",
        "s per step",
        "days",
        "checkpoints",
        "off (cache_text)",
        "40% is reached",
        "Missing:",
        "--base",
    ):
        assert words in text
    assert "Ready" not in text
    hours = [line.split()[-2] for line in text.splitlines() if line.startswith("all")]
    assert float(hours[0].replace(",", "")) > 1000
