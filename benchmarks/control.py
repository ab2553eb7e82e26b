"""``python -m benchmarks.control``: batched HED and lineart against the annotators of ``controlnet_aux``, on the CPU.

Weights are random: they cost what trained ones cost. Each round runs the annotator picture by picture and the extractor
on the batch, one after the other, so that a slow minute of the machine falls on both; layouts are compared in the same
way, since that is where the time goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console

from cologen.datagen.control.annotators import annotator
from cologen.datagen.control.hed import FILE, load_hed
from cologen.datagen.control.lineart import COARSE_FILE, load_lineart
from cologen.datagen.control.lineart import FILE as LINEART_FILE
from cologen.datagen.control.maps import Extractor

BATCH, SIDE, ROUNDS = 8, 512, 3
TARGET = 1.5
CONSOLE = Console(width=120)


def main() -> None:
    """Print pictures per second of both ways, their ratio, and the bare network in the annotator's own layout."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype=np.uint8)
    CONSOLE.print(f"{BATCH} pictures of {SIDE}², {torch.get_num_threads()} threads, {ROUNDS} rounds")
    with TemporaryDirectory() as folder:
        for name, detector, network, extractor in _contestants(folder):
            _compare(name, pixels, detector, network, extractor)


def _contestants(folder: str) -> list[tuple[str, Any, Any, Extractor]]:
    """Of each condition: its annotator, the annotator's network, and the extractor with the same weights."""
    hed, lineart = annotator("hed"), annotator("lineart")
    torch.save(hed.ControlNetHED_Apache2().state_dict(), f"{folder}/{FILE}")
    for file in (LINEART_FILE, COARSE_FILE):
        torch.save(lineart.Generator(3, 1, 3).state_dict(), f"{folder}/{file}")
    edges, lines = hed.HEDdetector.from_pretrained(folder), lineart.LineartDetector.from_pretrained(folder)
    return [
        ("hed", edges, edges.netNetwork, load_hed(folder, device="cpu")),
        ("lineart", lines, lines.model, load_lineart(folder, device="cpu")),
    ]


def _compare(name: str, pixels: np.ndarray[Any, Any], detector: Any, network: Any, extractor: Extractor) -> None:
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    ways: dict[str, Callable[[], object]] = {
        "annotator": lambda: [detector(picture, output_type="np") for picture in pixels],
        "its bare network": lambda: [network(image) for image in images.split(1)],
        "extractor": lambda: extractor(images),
    }
    rounds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS + 1):
        for way, run in ways.items():
            start = time.perf_counter()
            with torch.no_grad():
                run()
            if number:  # the first round warms up
                rounds[way].append(time.perf_counter() - start)
    cost = {way: median(seconds) for way, seconds in rounds.items()}
    ratio = median(a / b for a, b in zip(rounds["annotator"], rounds["extractor"], strict=True))
    CONSOLE.print(f"{name}: " + ", ".join(f"{way} {BATCH / seconds:.2f} pictures/s" for way, seconds in cost.items()))
    CONSOLE.print(f"{name}: extractor / annotator {ratio:.2f} (at least {TARGET})")


if __name__ == "__main__":
    main()
