"""Spoils small sound containers, pictures and annotations, and reads them as a build would, with little memory.

``python -m tests.datagen.container_fuzzing FOLDER SEED SECONDS`` prints, by kind of file, how many were read and how
many were refused; an error that no reader may raise ends it with the kind and the number of the round.
"""

import faulthandler
import gzip
import io
import json
import os
import random
import resource
import signal
import struct
import sys
import tarfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq

from cologen.datagen import images, rle
from cologen.datagen.datasets.coco import objects
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.parquet_rows import ParquetRows
from cologen.datagen.images.glance import glance
from cologen.datagen.images.parquet import files
from cologen.datagen.records import RejectedError

MOST_BYTES = 3 << 30
"""Address space on top of what the process has once everything is imported."""
FEWEST_ROUNDS = 6
"""Of each kind, however slow the machine is."""
MOST_SECONDS = 20
"""For one picture."""
WIDTH, HEIGHT = 48, 36

Rng = random.Random
Spoil = Callable[[bytes, Rng], bytes]


class HungError(BaseException):
    """A reader took too long."""


def picture(form: str, **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[8:20] = 90
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(options.pop("mode", "RGB")).save(file, form, **options)
    return file.getvalue()


def tar(form: int = tarfile.USTAR_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name in ("a.jpg", "long/" * 30 + "b.jpg", "c.jpg"):
            data = picture("JPEG")
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("d.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
        archive.addfile(link)
    return file.getvalue()


def parquet(**options: Any) -> bytes:
    cells = [{"bytes": picture("JPEG"), "path": f"{i}.jpg"} for i in range(6)]
    cells[3] = {"bytes": picture("PNG"), "path": None}
    table = pa.table({"image": cells, "plain": [cell["bytes"] for cell in cells], "words": ["a dog", None, "nan"] * 2})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=4, **options)
    return file.getvalue()


# --- ways to spoil ---------------------------------------------------------------------------------------------------

NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x4000_0000, 0xFFFF_FFF0]


def bits(data: bytes, rng: Rng) -> bytes:
    """Bits turned, more of them where formats have their headers: at both ends."""
    spoiled = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 60])):
        end = rng.choice([len(data), min(64, len(data)), min(700, len(data))])
        place = rng.randrange(end)
        spoiled[place if rng.random() < 0.7 else -1 - place] ^= 1 << rng.randrange(8)
    return bytes(spoiled)


def number(data: bytes, rng: Rng) -> bytes:
    """One number of 1, 2, 4 or 8 bytes replaced by one that is absurd."""
    spoiled, size = bytearray(data), rng.choice([1, 2, 4, 8])
    place = rng.randrange(max(1, min(len(data), rng.choice([64, 700, len(data)])) - size))
    value = rng.choice([*NUMBERS, rng.getrandbits(64), 1 << 62, (1 << 63) - 1]) % (1 << 8 * size)
    if rng.random() < 0.3:
        place = len(data) - size - place
    spoiled[max(0, place) : max(0, place) + size] = value.to_bytes(size, rng.choice(["big", "little"]))
    return bytes(spoiled)


def stretch(data: bytes, rng: Rng) -> bytes:
    """A stretch cut, blanked, doubled, or taken from elsewhere; or the end is lost, or something follows it."""
    start = rng.randrange(len(data))
    length = rng.choice([1, 7, 40, 512, 4096])
    piece = data[start : start + length]
    other = rng.randrange(len(data))
    return rng.choice(
        [
            data[:start] + data[start + length :],
            data[:start] + bytes(len(piece)) + data[start + length :],
            data[:start] + piece * rng.choice([2, 3, 50]) + data[start + length :],
            data[:other] + piece + data[other + len(piece) :],
            data[:start],
            data + rng.randbytes(length),
            data + data,
        ]
    )


SPOILS: list[Spoil] = [bits, number, number, stretch]


def anyhow(data: bytes, rng: Rng) -> bytes:
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        data = rng.choice(SPOILS)(data, rng) or b"\0"
    return data


def tar_header(data: bytes, rng: Rng) -> bytes:
    """A header spoiled and its checksum made right again."""
    if rng.random() < 0.3:
        return anyhow(data, rng)
    spoiled = bytearray(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        places = [member.offset for member in archive.getmembers()]
    for _ in range(rng.choice([1, 1, 3])):
        place = rng.choice(places)
        block = bytearray(
            number(bytes(spoiled[place : place + 512]), rng) if rng.random() < 0.5 else spoiled[place:][:512]
        )
        field, size = rng.choice([(124, 12), (124, 12), (156, 1), (156, 1), (0, 100), (257, 8), (345, 155), (386, 24)])
        block[field : field + size] = rng.choice(
            [
                rng.choice(b"0123456789ABDKLMNSVXgx?").to_bytes(1, "big").ljust(size, b"\0")[:size],
                (b"%011o\0" % rng.choice([0, 1, 511, 512, 513, 1 << 20, 1 << 32, (1 << 33) - 1])).ljust(size, b"\0")[
                    :size
                ],
                (b"\x80" + rng.choice([1 << 40, 1 << 62, 1 << 63, 1 << 80]).to_bytes(11, "big")).ljust(size, b"\0")[
                    :size
                ],
                b"\xff" * size,
                rng.randbytes(size),
            ]
        )
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        spoiled[place : place + 512] = block[:512]
    return bytes(spoiled)


def packed(spoil: Spoil) -> Spoil:
    """Gzip: the archive inside is spoiled, or the stream."""

    def spoiled(data: bytes, rng: Rng) -> bytes:
        if rng.random() < 0.5:
            return gzip.compress(spoil(gzip.decompress(data), rng), 1)
        return anyhow(data, rng)

    return spoiled


def png_chunk(data: bytes, rng: Rng) -> bytes:
    """A chunk spoiled, doubled or moved, and the sums made right again."""
    if rng.random() < 0.3:
        return anyhow(data, rng)
    chunks, place = [], 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        chunks.append((kind, data[place + 8 : place + 8 + length]))
        place += 12 + length
    chosen = rng.randrange(len(chunks))
    kind, content = chunks[chosen]
    if kind == b"IDAT" and rng.random() < 0.5:
        chunks[chosen] = kind, zlib.compress(anyhow(zlib.decompress(content), rng))
    elif rng.random() < 0.2:
        chunks.insert(rng.randrange(len(chunks)), chunks[chosen])
    else:
        name = rng.choice([kind, kind, kind, b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"PLTE", b"tRNS", b"fdAT", b"acTL"])
        chunks[chosen] = name, anyhow(content, rng) if content else rng.randbytes(rng.choice([1, 13, 300]))
    parts = [data[:8]]
    for kind, content in chunks:
        parts.append(struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content)))
    return b"".join(parts)


def tiff_entry(data: bytes, rng: Rng) -> bytes:
    """An entry of the first directory: its tag, type, count or value."""
    if rng.random() < 0.3:
        return anyhow(data, rng)
    spoiled = bytearray(data)
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    for _ in range(rng.choice([1, 1, 2])):
        entry = directory + 2 + 12 * rng.randrange(count)
        field, size = rng.choice([(0, 2), (2, 2), (4, 4), (8, 4), (8, 4)])
        value = rng.choice([*NUMBERS, *range(254, 340), rng.getrandbits(32)]) % (1 << 8 * size)
        spoiled[entry + field : entry + field + size] = value.to_bytes(size, "little")
    return bytes(spoiled)


VALUES: list[Any] = [
    None, True, -1, 0, 1, 1.5, 10**30, 1e308, float("nan"), float("inf"), "", "x", "P13700000`1", "o" * 40, [], [[]],
    [1, 2], [[1, 1, 9, 1, 9, 9]], [[1e9] * 6], [[0, 0, 1e5, 1e5] * 9], [2**62, 1], [0] * 999, {},
    {"size": [HEIGHT, WIDTH]},
]  # fmt: skip


def annotation(data: bytes, rng: Rng) -> bytes:
    """A value somewhere in the JSON replaced, or its text spoiled."""
    if rng.random() < 0.3:
        return anyhow(data, rng)
    value = json.loads(data)
    for _ in range(rng.choice([1, 1, 3])):
        place: Any = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.8:
                place = place[key]
                continue
            counts = isinstance(place[key], str) and place[key] and rng.random() < 0.8
            place[key] = anyhow(place[key].encode(), rng).decode("latin1") if counts else deepcopy(rng.choice(VALUES))
            break
    return json.dumps(value).encode()


# --- what reads ------------------------------------------------------------------------------------------------------


def read_picture(folder: Path, name: str) -> Iterator[Callable[[], object]]:
    yield lambda: consistent(folder, name)
    yield lambda: images.decode_map(images.read_bytes(folder, name))
    yield lambda: glance(folder, name, (WIDTH, HEIGHT))
    yield lambda: images.decode(images.read_bytes(folder, name), None, 8)


def consistent(folder: Path, name: str) -> object:
    """A picture that can be decoded has the size that its ends tell."""
    decoded = images.decode(images.read_bytes(folder, name))
    assert images.probe(folder, name) == decoded.shape[1::-1]
    return decoded


def read_archive(folder: Path, name: str) -> Iterator[Callable[[], object]]:
    for member in ("a.jpg", "long/" * 30 + "b.jpg", "c.jpg", "d.jpg", "none.jpg"):
        yield lambda member=member: consistent(folder, f"{name}#{member}")


def read_parquet(folder: Path, name: str) -> Iterator[Callable[[], object]]:
    for row in (0, 1, 3, 5, 6, 10**17):
        for column in ("image", "plain", "words"):
            yield lambda row=row, column=column: consistent(folder, f"{name}#row={row}&column={column}")
    yield lambda: files.read_columns(str(folder / name), ["words"])
    yield lambda: files.read_columns(str(folder / name), ["image.path"])
    yield lambda: read_rows(folder, folder / name)


def read_rows(folder: Path, path: Path) -> object:
    try:
        rows = ParquetRows(folder, [path], pictures=["image"], values=["words"])
    except ValueError as error:
        assert str(path) in str(error), error
        raise RejectedError(next(iter(images.Reason)), str(error)) from None
    return [rows.read(index) for index in range(min(len(rows), 9))]


def read_annotation(folder: Path, name: str) -> Iterator[Callable[[], object]]:
    data = (folder / name).read_bytes()
    yield lambda: [masked(each) for each in fields.items(fields.parse_record(data), "annotations")]


def masked(value: object) -> object:
    """What is accepted is a mask of the picture's size, for pycocotools too."""
    made = objects.read_object(value, {"1": "dog"}, (WIDTH, HEIGHT))
    mask = rle.decode(made.rle, HEIGHT, WIDTH)
    assert mask.shape == (HEIGHT, WIDTH)
    assert rle.area(made.rle) == int(mask.sum()) > 0
    assert rle.overlaps(made.rle, [made.rle], HEIGHT, WIDTH)[0].tolist() == [1.0]
    return made


BOX = np.zeros((HEIGHT, WIDTH), np.uint8)
BOX[4:20, 9:30] = 1
ANNOTATIONS = {
    "annotations": [
        {"id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [[1, 1, 30, 1, 30, 30.5, 2, 18]]},
        {"id": 2, "category_id": 1, "segmentation": {"size": [HEIGHT, WIDTH], "counts": rle.encode(BOX).decode()}},
        {
            "id": 3,
            "category_id": 1,
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": [40, 100, HEIGHT * WIDTH - 140]},
        },
    ]
}

TURNED = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
BLACK = PIL.Image.new("RGB", (WIDTH, HEIGHT))
KINDS: dict[str, tuple[bytes, Spoil, Callable[[Path, str], Iterator[Callable[[], object]]]]] = {
    "ustar.tar": (tar(), tar_header, read_archive),
    "gnu.tar": (tar(tarfile.GNU_FORMAT), tar_header, read_archive),
    "pax.tar": (tar(tarfile.PAX_FORMAT), tar_header, read_archive),
    "pax.tgz": (gzip.compress(tar(tarfile.PAX_FORMAT), 1), packed(tar_header), read_archive),
    "plain.parquet": (parquet(compression="none", use_dictionary=False), anyhow, read_parquet),
    "dictionary.parquet": (parquet(compression="snappy", data_page_size=4000), anyhow, read_parquet),
    "zstd.parquet": (parquet(compression="zstd", data_page_version="2.0"), anyhow, read_parquet),
    "baseline.jpg": (picture("JPEG", exif=TURNED), anyhow, read_picture),
    "progressive.jpg": (picture("JPEG", progressive=True), anyhow, read_picture),
    "cmyk.jpg": (picture("JPEG", mode="CMYK"), anyhow, read_picture),
    "rgb.png": (picture("PNG"), png_chunk, read_picture),
    "palette.png": (picture("PNG", mode="P", transparency=3), png_chunk, read_picture),
    "raw.tiff": (picture("TIFF"), tiff_entry, read_picture),
    "deflate.tiff": (picture("TIFF", compression="tiff_deflate"), tiff_entry, read_picture),
    "packbits.tiff": (picture("TIFF", compression="packbits"), tiff_entry, read_picture),
    "lossy.webp": (picture("WEBP"), anyhow, read_picture),
    "lossless.webp": (picture("WEBP", lossless=True), anyhow, read_picture),
    "moving.webp": (picture("WEBP", save_all=True, append_images=[BLACK]), anyhow, read_picture),
    "rgb.bmp": (picture("BMP"), anyhow, read_picture),
    "palette.gif": (picture("GIF", mode="P"), anyhow, read_picture),
    "annotations.json": (json.dumps(ANNOTATIONS).encode(), annotation, read_annotation),
}  # fmt: skip


def run(folder: Path, kind: str, number_of_round: int, seed: int) -> Iterator[str]:
    """Spoil one file and read it in every way; "read" or the reason of each."""
    whole, spoil, readers = KINDS[kind]
    rng = Rng(f"{kind} {seed} {number_of_round}")
    name = f"{number_of_round}-{kind}"
    (folder / name).write_bytes(spoil(whole, rng))
    for read in readers(folder, name):
        signal.alarm(MOST_SECONDS)
        faulthandler.dump_traceback_later(2 * MOST_SECONDS, exit=True)  # where no signal is heard
        try:
            read()
        except RejectedError as error:
            assert "\n" not in error.detail, error.detail
            yield str(error.reason)
        else:
            yield "read"
        finally:
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
    (folder / name).unlink()


def bounded_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def hung(*_: object) -> None:
    raise HungError(f"more than {MOST_SECONDS} s")


def main(folder: Path, seed: int, seconds: float) -> None:
    os.environ["COLOGEN_CACHE"] = str(folder / "cache")
    for kind, (whole, _, readers) in KINDS.items():  # everything is imported now, and the sound files are sound
        (folder / kind).write_bytes(whole)
        next(readers(folder, kind))()
    bounded_memory()
    signal.signal(signal.SIGALRM, hung)
    counts = {kind: Counter[str]() for kind in KINDS}
    end, number_of_round = time.monotonic() + seconds, 0
    while number_of_round < FEWEST_ROUNDS or time.monotonic() < end:
        for kind in KINDS:
            try:
                counts[kind].update(run(folder, kind, number_of_round, seed))
            except BaseException as error:
                raise AssertionError(f"{kind}, round {number_of_round} of seed {seed}") from error
        number_of_round += 1
    print(json.dumps(counts))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
