"""``python -m benchmarks.parquet``: random pictures from Parquet files against the bare decode of the same bytes.

Three ways to meet the rows: the rows of a part in any order (what a build does), all rows of a file in any order, and
rows scattered over a larger file (what a trainer does). Snappy is what public datasets come in; of zstd no cell can be
read alone, so that scattered rows cost their whole groups: the price of what is left to Arrow. The rounds of all are
interleaved, so that a slow minute of the machine falls on all of them.
"""

from __future__ import annotations

import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from cologen.datagen import images
from cologen.datagen.images.parquet import files
from cologen.datagen.randomness import generator

ROUNDS, ROWS_READ, SIDE = 5, 1000, 512
TARGET = 2.0  # times the bare decode
PICTURES, ROWS_PER_GROUP = 4000, 100  # some 480 MB, twice what is kept of whole groups
CODECS = ("snappy", "zstd")

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _pictures() -> list[bytes]:
    """Encoded photographs of sorts: soft shapes with some noise, 120 KB each."""
    y, x = np.mgrid[:SIDE, :SIDE]
    ramps = np.stack([x / 2, y / 2, (x + y) / 4], axis=-1)
    noises = (generator(0, "parquet", i).normal(0, 18, ramps.shape) for i in range(ROWS_PER_GROUP))
    pixels = ((ramps + noise).clip(0, 255).astype(np.uint8) for noise in noises)
    return [cv2.imencode(".jpg", each, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes() for each in pixels]


def _write(path: Path, pictures: list[bytes], codec: str) -> None:
    """Row groups of ``ROWS_PER_GROUP`` and dictionaries, as most public image datasets have them."""
    cells = pa.array([{"bytes": data, "path": "a.jpg"} for data in pictures], _IMAGE)
    with pq.ParquetWriter(path, pa.schema([("image", _IMAGE)]), compression=codec) as file:
        for _ in range(PICTURES // ROWS_PER_GROUP):
            file.write_table(pa.table({"image": cells}))


def _orders() -> dict[str, list[int]]:
    draw = generator(1, "parquet")
    part = draw.permutation(512).tolist()
    return {
        f"{ROWS_READ} rows of parts of 512, in any order": (part * 2)[:ROWS_READ],
        f"{ROWS_READ} rows of a file of {ROWS_READ}, in any order": draw.permutation(ROWS_READ).tolist(),
        f"{ROWS_READ} rows scattered over {PICTURES}": draw.permutation(PICTURES)[:ROWS_READ].tolist(),
    }


def _through_parquet(root: Path, codec: str, rows: list[int]) -> float:
    # Another name of the same file, so that nothing is kept from the round before.
    name = f"round-{time.monotonic_ns()}.parquet"
    (root / name).hardlink_to(root / f"{codec}.parquet")
    start = time.perf_counter()
    for row in rows:
        images.decode(images.read_bytes(root, files.cell_uri(name, row, "image")))
    seconds = time.perf_counter() - start
    (root / name).unlink()
    return seconds


def _bare(pictures: list[bytes], rows: list[int]) -> float:
    start = time.perf_counter()
    for row in rows:
        images.decode(pictures[row % ROWS_PER_GROUP])
    return time.perf_counter() - start


def measure(root: Path) -> dict[str, tuple[float, float]]:
    """Seconds through Parquet and of the bare decode, medians over rounds, by codec and order of rows."""
    pictures = _pictures()
    for codec in CODECS:
        _write(root / f"{codec}.parquet", pictures, codec)
    found: dict[str, tuple[list[float], list[float]]] = {}
    for _ in range(ROUNDS):
        for codec, (name, rows) in product(CODECS, _orders().items()):
            through, bare = found.setdefault(f"{codec}: {name}", ([], []))
            through.append(_through_parquet(root, codec, rows))
            bare.append(_bare(pictures, rows))
    return {name: (median(through), median(bare)) for name, (through, bare) in found.items()}


def main() -> None:
    """Print one row per order of rows."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        cost = measure(Path(folder))
    table = Table(title=f"pictures of {SIDE}² from Parquet; target: at most {TARGET:g} times the bare decode")
    for column in ("rows", "ms a picture", "bare decode, ms", "ratio"):
        table.add_column(column, justify="left" if column == "rows" else "right")
    for name, (through, bare) in cost.items():
        table.add_row(name, f"{through:.2f}", f"{bare:.2f}", f"{through / bare:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
