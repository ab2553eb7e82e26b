"""``python -m pipelines.audit_metrics --out DIR``: how well each metric ranks outputs whose wrongness is known."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cologen.datagen.usage import require_range
from cologen.datagen.world.captions import captions
from cologen.datagen.world.edits import Edit
from cologen.evaluation.auditing.audit import audit
from cologen.evaluation.auditing.page import markdown, picture
from cologen.evaluation.auditing.ranking import table
from cologen.evaluation.benchmarks.procedural import drawn_edit
from cologen.evaluation.metric import Metric
from cologen.evaluation.metrics.catalog import (
    change_iou,
    clip_image,
    clip_text,
    delta_e,
    dino,
    edit_accuracy,
    l1,
    l2,
    preservation_accuracy,
    ssim,
)
from cologen.evaluation.networks.loading import load_networks, missing_networks
from cologen.model.files import write_atomically
from cologen.reports.contact_sheet import TILE
from pipelines.console import CONSOLE, progress_over_count, run
from pipelines.evaluation_options import networks_of_options

METRICS: tuple[Metric, ...] = (
    clip_image(reference="target"),
    clip_image(reference="source", name="clip_i_source"),
    clip_text(),
    dino(reference="target"),
    dino(reference="source", name="dino_source"),
    l1(reference="target"),
    l1(reference="source", name="l1_source"),
    l2(reference="target"),
    ssim(reference="target"),
    l1(reference="target", region="inside"),
    l1(reference="source", region="outside"),
    edit_accuracy(),
    preservation_accuracy(),
    change_iou(),
    delta_e(region="inside"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Audit the metrics: measure each on ladders of outputs, from right to more and more wrong, and rank the metrics.

    A metric whose network is not given and not on this machine is left out, and the page says so.
    """

    out: Path = Path("runs", "metrics-audit")
    """Folder for the page (metrics-audit.md) and its picture (ladders.png)."""
    edits: int = 200
    """How many edits, of five kinds in turn."""
    size: int = 256
    """Side of the pictures in pixels, 32 to 1024."""
    seed: int = 0
    """Which edits."""
    network: tuple[str, ...] = ()
    """NAME=PATH or NAME=HUB_NAME of clip and dino. Default: the protocol's, from the hub's cache on this machine."""
    device: str = "auto"
    """cpu or cuda; auto takes a GPU if there is one."""
    download: bool = False
    """Fetch the networks from the hub where they are not on this machine."""

    def __post_init__(self) -> None:
        require_range(self, "edits", least=5)
        require_range(self, "size", least=32, most=1024)
        require_range(self, "seed", least=0)
        _ = networks_of_options(self.network)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _audit, args)


def _audit(options: Options) -> int:
    """Measure, rank, and write the page."""
    torch.set_num_threads(1)  # each picture is a pass of its own
    sources = networks_of_options(options.network)
    needed = {need.network for metric in METRICS for need in metric.needs}
    missing = {} if options.download else missing_networks(needed, sources)
    metrics = [metric for metric in METRICS if not missing.keys() & {need.network for need in metric.needs}]
    left_out = [metric.name for metric in METRICS if metric not in metrics]
    networks = load_networks(needed - missing.keys(), sources, options.device, download=options.download)
    edits = [drawn_edit(options.seed, index) for index in range(options.edits)]
    with progress_over_count(len(edits), "measuring", "edits") as advance:
        values = audit(edits, metrics, networks, captions=_captions, side=options.size, progress=advance)
    rankings = table(values, {metric.name: metric.better for metric in metrics})
    facts = [f"{options.edits:,} edits of seed {options.seed}, {options.size} pixels a side."]
    facts += [f"`{name}`: {network.identity}." for name, network in networks.items()]
    if left_out:
        facts.append(
            f"Not measured, since their network was not at hand: {', '.join(f'`{name}`' for name in left_out)}."
        )
    options.out.mkdir(parents=True, exist_ok=True)
    page = options.out / "metrics-audit.md"
    write_atomically(page, markdown(rankings, metrics, facts=facts, picture="ladders.png").encode())
    shown = next(each for each in edits if each.kind != "remove" and len(each.after.objects) > 3)
    write_atomically(options.out / "ladders.png", picture(shown, TILE))
    CONSOLE.print(f"wrote {page}")
    return 0


def _captions(edit: Edit) -> dict[str, str]:
    return {"output": captions(edit.after, 1)[0], "source": captions(edit.before, 1)[0]}


if __name__ == "__main__":
    sys.exit(main())
