"""Precomputed condition maps: one Parquet file per part beside its rows, each map a grey PNG.

A map's address, ``maps-00000.parquet#row=3&column=map``, is relative to the manifest's folder, not to the dataset's
root. Rows of the file are row groups of their own, so that one map costs one small read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from numpy import ndarray

from cologen.datagen.images import addresses
from cologen.datagen.images.parquet import files
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.records import Reason, RejectedError

PREFIX = "maps-"
_COLUMN = "map"
_SCHEMA = pa.schema(
    [pa.field("sample_id", pa.string(), nullable=False), pa.field(_COLUMN, pa.binary(), nullable=False)]
)


def encode(grey: UInt8[ndarray, "height width"]) -> bytes:
    """A map as PNG."""
    return cv2.imencode(".png", grey)[1].tobytes()


def fingerprint(data: bytes) -> int:
    """64 bits of a hash of an encoded map, for its row to carry."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def write_maps(folder: Folder, index: int, maps: Mapping[str, bytes]) -> dict[str, str]:
    """Write the encoded maps of part ``index`` at once and return their addresses, both by sample id.

    The same maps give the same bytes, so that a part that is made again replaces the file by itself.
    """
    name = f"{PREFIX}{index:05d}.parquet"
    table = pa.table([list(maps), list(maps.values())], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    # PNG does not become smaller.
    pq.write_table(table, sink, row_group_size=1, compression="none", use_dictionary=False, write_statistics=False)
    folder.write(name, sink.getvalue().to_pybytes())
    return {sample_id: files.cell_uri(name, row, _COLUMN) for row, sample_id in enumerate(maps)}


def read_map(folder: Folder, uri: str, expected: int) -> bytes:
    """The encoded map at an address that ``write_maps`` gave, ``expected`` being its ``fingerprint``.

    Raises:
        RejectedError: there is no such file or row, it is damaged, or it is not the map that was written.
    """
    file, cell = addresses.split(uri)
    name, (row, column) = addresses.normal(file), files.parse_cell(cell or "")
    if not folder.exists(name):
        raise RejectedError(Reason.MISSING_IMAGE, f"no file {name} in {folder}")
    data = files.readable(name, lambda: _cell(folder, name, row, column))
    if fingerprint(data) != expected:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{uri} is not the map that was written")
    return data


def _cell(folder: Folder, name: str, row: int, column: str) -> bytes:
    with folder.filesystem.open_input_file(f"{folder.path}/{name}") as stream:
        file = pq.ParquetFile(stream)
        if column != _COLUMN or row >= file.num_row_groups:
            raise RejectedError(Reason.MISSING_IMAGE, f"no row {row} with {column!a} in {name}")
        cells: list[bytes | None] = file.read_row_group(row, columns=[column])[column].to_pylist()
    data = cells[0] if len(cells) == 1 else None
    if data is None:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"row {row} of {name} holds no map")
    return data
