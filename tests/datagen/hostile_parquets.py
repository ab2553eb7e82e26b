"""Parquet files that no program writes: the header of a page, or the footer, replaced by one made by hand."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cologen.datagen.images.parquet.pages import DATA, PLAIN, parse_page


def varint(value: int) -> bytes:
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def zigzag(value: int) -> bytes:
    return varint(2 * value if value >= 0 else -2 * value - 1)


def page_header(raw_size: int, stored_size: int, num_values: int, kind: int = DATA, encoding: int = PLAIN) -> bytes:
    """Of version 1, or of a dictionary."""
    numbers = [kind, raw_size, stored_size]
    details = [num_values, encoding, 3, 3] if kind == DATA else [num_values, encoding]
    skip = 2 if kind == DATA else 4  # fields 5 and 7
    inner = b"".join(b"\x15" + zigzag(number) for number in details)
    return b"".join(b"\x15" + zigzag(number) for number in numbers) + bytes([skip << 4 | 12]) + inner + b"\0\0"


def first_page(path: Path) -> int:
    chunk = pq.read_metadata(path).row_group(0).column(0)
    return chunk.dictionary_page_offset or chunk.data_page_offset


def with_header(path: Path, raw_size: int | None = None, num_values: int | None = None) -> Path:
    """Other claims in the header of the first page; it still ends where it did."""
    data, place = bytearray(path.read_bytes()), first_page(path)
    page = parse_page(bytes(data[place : place + 4096]))
    stored, header = page.stored_size, b""
    for _ in range(3):  # its own length changes what is left
        raw, count = (raw_size or page.raw_size), (num_values if num_values is not None else page.num_values)
        header = page_header(raw, stored, count, page.kind, page.encoding)
        stored = page.stored_size + page.start - len(header)
    data[place : place + len(header)] = header
    path.write_bytes(data)
    return path


def write(path: Path, cells: pa.Array | list[bytes], **options: object) -> Path:
    pq.write_table(pa.table({"image": cells}), path, **{"compression": "none", "use_dictionary": False, **options})
    return path
