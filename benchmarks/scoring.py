"""``python -m benchmarks.scoring``: scoring a part against the bare forward passes of its networks, on one core.

CLIP ViT-B/32 and DINO ViT-S/16 in their published sizes with random weights, 16 edits of 512 pixels: outputs are PNG
files; source and target are decoded, resized and measured as in any benchmark. The floor is the same networks on the
same pictures, prepared beforehand. Rounds are interleaved, so that a slow minute of the machine falls on both.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from cologen.datagen import images
from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import jpeg
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.metrics.catalog import clip_image, dino, l1
from cologen.evaluation.networks.clip import Clip
from cologen.evaluation.networks.dino import Dino
from cologen.evaluation.networks.passes import exactly
from cologen.evaluation.networks.preparing import IMAGENET, OPENAI, resized_and_cropped
from cologen.evaluation.records import Expected, Item, Picture, Question
from cologen.evaluation.scoring.scorer import Scorer

ROUNDS, ITEMS, SIDE = 5, 16, 512
TARGET = 1.1  # times the bare forward passes
_CPU = torch.device("cpu")


def _picture(number: int) -> Picture:
    """Soft shapes with some noise."""
    y, x = np.mgrid[:SIDE, :SIDE]
    ramps = np.stack([x / 2, y / 2, (x + y) / 4], axis=-1)
    return (ramps + generator(0, "scoring", number).normal(0, 18, ramps.shape)).clip(0, 255).astype(np.uint8)


def _networks() -> dict[str, Any]:
    from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel

    torch.manual_seed(0)
    clip = CLIPModel(CLIPConfig()).eval()
    vit: Any = ViTModel(ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536)).eval()
    return {
        "clip": Clip(clip, None, _CPU, "random CLIP ViT-B/32"),
        "dino": Dino(vit, _CPU, "random DINO ViT-S/16"),
    }


def _benchmark() -> Benchmark:
    encoded = [(jpeg(_picture(3 * number)), jpeg(_picture(3 * number + 1))) for number in range(ITEMS)]
    items = [Item(item_id=str(number), cluster=str(number), prompt="") for number in range(ITEMS)]

    def expected(item: Item) -> Expected:
        source, target = encoded[int(item.item_id)]
        return Expected(source=images.decode(source), target=images.decode(target))

    def question(item: Item) -> Question:
        return Question(task=None, prompt="")

    metrics = (clip_image(reference="target"), dino(reference="target"), l1(reference="target"))
    return Benchmark(
        name="speed", title="speed", items=items, question=question, expected=expected, metrics=metrics, protocol={}
    )


def _bare(networks: dict[str, Any], prepared: dict[str, list[torch.Tensor]]) -> float:
    start = time.perf_counter()
    with exactly(_CPU):
        for each in prepared["clip"]:
            networks["clip"].network.get_image_features(pixel_values=each[None])
        for each in prepared["dino"]:
            networks["dino"].network(pixel_values=each[None])
    return time.perf_counter() - start


def main() -> None:
    """Print seconds and the ratio."""
    console = Console()
    networks, benchmark = _networks(), _benchmark()
    pictures = [_picture(3 * number + which) for number in range(ITEMS) for which in (1, 2)]
    prepared = {
        "clip": [OPENAI(resized_and_cropped(each, shorter=224, side=224)) for each in pictures],
        "dino": [IMAGENET(resized_and_cropped(each, shorter=256, side=224)) for each in pictures],
    }
    bare: list[float] = []
    scored: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        outputs = OutputFolder(Path(folder))
        for number, item in enumerate(benchmark.items):
            outputs.write(item.item_id, 0, _picture(3 * number + 2))
        for _ in range(ROUNDS):
            scorer = Scorer(
                benchmark=benchmark, metrics=benchmark.metrics, networks=networks, outputs=outputs,
                candidates=("model", "oracle"),
            )  # fmt: skip
            start = time.perf_counter()
            scorer(0)
            scored.append(time.perf_counter() - start)
            bare.append(_bare(networks, prepared))
    ratio = median(one / other for one, other in zip(scored, bare, strict=True))
    table = Table("scoring of 16 items, 2 networks", "seconds", "ratio", "aim")
    table.add_row("bare forward passes, 32 pictures", f"{median(bare):.2f}", "", "")
    table.add_row("decode, prepare, read, measure", f"{median(scored):.2f}", f"{ratio:.2f}", f"{TARGET:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
