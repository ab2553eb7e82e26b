"""Whatever is wrong with a dataset's files, its reader says so: one clear error on opening, or counted rejections.

Each format of the synthetic dataset is spoiled in one file after another: values of other types, missing and repeated
fields, deep nesting, bits turned, ends cut off.
"""

import io
import json
import os
import pickle
import random
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.datasets import open_dataset
from cologen.datagen.pair_records import Condition, Pair
from cologen.datagen.records import Image
from cologen.datagen.world.formats import (
    World,
    ade20k_challenge,
    ade20k_full,
    coco,
    journeydb,
    lvis,
    magicbrush,
    multigen,
    omniedit,
    refcoco,
    subjects200k,
    triplets,
)

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "24"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
MOST_BYTES = 1 << 30

Rng = random.Random


@dataclass(frozen=True)
class Case:
    name: str
    write: Callable[..., None]
    open: Callable[[Path], Any]
    spoiled: tuple[str, ...]
    """Patterns of the files that are spoiled; pictures are not among them."""


def reader(item: type, name: str, split: str = "train") -> Callable[[Path], Any]:
    return lambda root: open_dataset(item, name, root, split)


JSON = ("**/*.json",)
CASES = [
    Case("cocostuff", coco.write, reader(Image, "cocostuff"), JSON),
    Case("lvis", lvis.write, reader(Image, "lvis"), JSON),
    Case("refcoco", refcoco.write, reader(Image, "refcoco"), ("refcoco/*",)),
    Case("refcocog", refcoco.write, reader(Image, "refcocog"), ("refcocog/*",)),
    Case("ade20k", ade20k_challenge.write, reader(Image, "ade20k"), ("**/*.png", "**/*.txt", "**/*.parquet")),
    Case("ade20k full", ade20k_full.write, reader(Image, "ade20k"), ("**/*.png", "**/*.json")),
    Case("journeydb", journeydb.write, reader(Image, "journeydb"), ("**/*.jsonl",)),
    Case("journeydb packed", journeydb.write_archives, reader(Image, "journeydb"), ("**/*.tgz",)),
    Case("subjects200k", subjects200k.write, reader(Pair, "subjects200k"), ("**/*.parquet",)),
    Case("omniedit", omniedit.write, reader(Pair, "omniedit"), ("**/*.parquet",)),
    Case("magicbrush", magicbrush.write, reader(Pair, "magicbrush"), ("**/*.parquet",)),
    Case("magicbrush test", magicbrush.write_test, reader(Pair, "magicbrush", "test"), JSON),
    Case("triplets", triplets.write, reader(Pair, "triplets"), ("**/*.jsonl",)),
    Case("triplets parquet", triplets.write_parquet, reader(Pair, "triplets"), ("**/*.parquet",)),
    Case("multigen", multigen.write, reader(Condition, "multigen"), ("**/*.json",)),
    Case("multigen depth", multigen.write_depth, reader(Condition, "multigen_depth"), ("**/*.parquet",)),
]

DEEP: Any = []
for _ in range(90):
    DEEP = [DEEP]
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1.5, -0.0, 1e308, float("nan"), float("inf"), "", " ", ".",
    "\u200b", "\ufeff", "x", "5", "000000000001", "nan", "../../etc/passwd", "/etc/passwd", "a\0b", "\ud83d", "é" * 300,
    "a.tar#b.jpg", "a.parquet#row=0&column=image", "polygon_lengths", "~rejected", [], [None], [[]], [[1]], {},
    {"id": 1}, {"~rejected": 1}, {"~rejected": ["x", "y"]}, {"polygon_lengths": [8]}, DEEP,
]  # fmt: skip
RAW = [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 10**5, b'"\\ud83d"', b'"\xff"', b'{"a":1,"a":2}', b"", b"\0"]


def places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a value."""
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if depth < 8:
            yield from places(value[key], depth + 1)


def spoil_value(value: Any, rng: Rng) -> Any:
    """One or a few places in a value changed."""
    for _ in range(rng.choice([1, 1, 3])):
        found = list(places(value))
        if not found or rng.random() < 0.02:
            return rng.choice(VALUES)
        # Evenly over the names of fields, or nearly all places would be coordinates of polygons.
        names = sorted({str(key) for _, key in found})
        chosen = rng.choice(names)
        container, key = rng.choice([place for place in found if str(place[1]) == chosen])
        action = rng.random()
        if action < 0.15:
            del container[key]
        elif action < 0.25 and isinstance(container, list):
            container.append(container[key])
        elif action < 0.35:
            container[key] = [container[key]]
        else:
            container[key] = rng.choice(VALUES)
    return value


def spoil_text(data: bytes, rng: Rng) -> bytes:
    """JSON with something in it that no parser's output could hold."""
    text = bytearray(data)
    marks = [place for place, byte in enumerate(text) if byte in b',:[{"']
    place = rng.choice(marks)
    end = place + rng.choice([0, 1, 5, 50])
    text[place + 1 : end + 1] = rng.choice(RAW)
    return bytes(text)


def spoil_json(data: bytes, rng: Rng) -> bytes:
    return json.dumps(spoil_value(json.loads(data), rng)).encode()


def spoil_lines(data: bytes, rng: Rng) -> bytes:
    lines = data.splitlines()
    place = rng.randrange(len(lines))
    lines[place] = spoil_json(lines[place], rng)
    return b"\n".join(lines)


def spoil_pickle(data: bytes, rng: Rng) -> bytes:
    value = spoil_value(pickle.loads(data, encoding="latin1"), rng)
    return pickle.dumps(value, protocol=rng.randrange(6))


def spoil_bytes(data: bytes, rng: Rng) -> bytes:
    """Bits turned, an end cut off, or a stretch repeated or blanked."""
    spoiled = bytearray(data)
    action, place = rng.randrange(5), rng.randrange(len(spoiled))
    if action == 0:
        del spoiled[place:]
    elif action == 1:
        spoiled[place:place] = spoiled[max(0, place - 40) : place]
    elif action == 2:
        spoiled[place : place + 40] = bytes(min(40, len(spoiled) - place))
    else:
        # Half of them at the end, where Parquet has its footer.
        for _ in range(rng.choice([1, 1, 8])):
            low = max(0, len(spoiled) - 1500) if rng.random() < 0.5 else 0
            spoiled[rng.randrange(low, len(spoiled))] ^= 1 << rng.randrange(8)
    return bytes(spoiled)


def spoil_png(_: bytes, rng: Rng) -> bytes:
    mode = rng.choice(["1", "L", "P", "RGB", "RGBA", "I;16", "LA"])
    size = rng.choice([(64, 48), (48, 64), (1, 1), (64, 47)])
    file = io.BytesIO()
    noise = np.random.default_rng(rng.randrange(99)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).convert("L" if mode == "I;16" else mode).convert(mode).save(file, "PNG")
    return file.getvalue()


def spoil_table(data: bytes, rng: Rng) -> bytes:
    """A column of another type, or with other values, or none."""
    table = pq.read_table(io.BytesIO(data))
    place = rng.randrange(table.num_columns)
    name, column = table.column_names[place], table.column(place)
    replaced: list[Any] = [
        lambda: table.drop_columns([name]),
        lambda: table.set_column(place, name, pa.nulls(len(table), column.type)),
        lambda: table.set_column(place, name, pa.nulls(len(table))),
        lambda: table.set_column(place, name, pa.array([10**18] * len(table), pa.timestamp("ms"))),
        lambda: table.set_column(place, name, pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())),
        *(
            lambda value=value: table.set_column(place, name, pa.array([value] * len(table)))
            for value in (5, float("nan"), True, "", ".", "../x", b"", b"x", [], ["x"], [[None]], {"bytes": b"x"})
        ),
    ]
    file = io.BytesIO()
    pq.write_table(rng.choice(replaced)(), file, compression=rng.choice(["snappy", "none"]))
    return file.getvalue()


BY_SUFFIX: dict[str, list[Callable[[bytes, Rng], bytes]]] = {
    ".json": [spoil_json, spoil_json, spoil_json, spoil_text, spoil_bytes],
    ".jsonl": [spoil_lines, spoil_lines, spoil_lines, spoil_text, spoil_bytes],
    ".p": [spoil_pickle, spoil_pickle, spoil_bytes],
    ".parquet": [spoil_table, spoil_bytes],
    ".png": [spoil_png, spoil_bytes],
    ".txt": [spoil_bytes],
    ".tgz": [spoil_bytes],
}


def spoilers(path: Path, data: bytes) -> list[Callable[[bytes, Rng], bytes]]:
    lines = path.suffix == ".json" and b"}\n{" in data
    return BY_SUFFIX[".jsonl" if lines else path.suffix]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def test_spoiled_files_are_refused_by_name_or_counted(case: Case, tmp_path: Path, cache_folder: Path) -> None:
    root = tmp_path / "root"
    case.write(root, World(num_scenes=4, width=64, height=48, seed=3))
    files = sorted({path for pattern in case.spoiled for path in root.glob(pattern) if path.is_file()})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rng = Rng(f"{case.name} {SEED}")
    for number in range(ROUNDS):
        path = rng.choice(files)
        whole = path.read_bytes()
        spoiled = rng.choice(spoilers(path, whole))(whole, rng)
        path.write_bytes(spoiled)
        try:
            read_all(case, root)
        except Exception as error:
            raise AssertionError(f"round {number} of seed {SEED}, {path}") from error
        finally:
            path.write_bytes(whole)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_BYTES


def read_all(case: Case, root: Path) -> None:
    try:
        source = case.open(root)
    except (ValueError, OSError) as error:
        assert str(root) in str(error), error
        return
    for index in range(len(source)):
        reading = source.read(index)
        assert reading.item or reading.rejections
