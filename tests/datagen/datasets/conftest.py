"""A cache folder of its own for every test, and the handmade pictures that the datasets' fixtures consist of."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from cologen.datagen.datasets import Dataset, Reading
from cologen.datagen.records import Image, Reason

Put = Callable[..., bytes]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def put_picture() -> Put:
    """Write a picture of noise of (width, height) at a path, making its folders, and return its bytes."""

    def put(path: Path, size: tuple[int, int] = (64, 48), mode: str = "RGB", orientation: int = 1) -> bytes:
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        PIL.Image.fromarray(noise).convert(mode).save(file, "JPEG", exif=exif.tobytes())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getvalue())
        return file.getvalue()

    return put


@pytest.fixture
def put_map() -> Callable[[Path, np.ndarray], None]:
    """Write a label map as PNG at a path, making its folders."""

    def put(path: Path, values: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(values.astype(np.uint8)).save(path)

    return put


@pytest.fixture
def spoil() -> dict[Reason, Callable[[bytes], bytes | None]]:
    """Ways to spoil the bytes of a picture, by the reason each must be rejected for; None removes the file."""

    def other(mode: str, size: tuple[int, int]) -> bytes:
        file = io.BytesIO()
        PIL.Image.new(mode, size).save(file, "TIFF" if mode == "LAB" else "PNG")
        return file.getvalue()

    def huge() -> bytes:
        """A PNG that claims 3.6 billion pixels."""
        data = bytearray(other("RGB", (64, 48)))
        data[16:24] = struct.pack(">II", 60_000, 60_000)
        return bytes(data)

    return {
        Reason.MISSING_IMAGE: lambda _: None,
        Reason.EMPTY_FILE: lambda _: b"",
        Reason.NOT_AN_IMAGE: lambda _: b"<html>gone</html>",
        Reason.TRUNCATED_IMAGE: lambda data: data[: len(data) // 2],
        Reason.UNSUPPORTED_MODE: lambda _: other("LAB", (64, 48)),
        Reason.TOO_SMALL: lambda _: other("RGB", (1, 1)),
        Reason.TOO_LARGE: lambda _: huge(),
    }


@pytest.fixture
def read_all() -> Callable[[Dataset[Image]], tuple[dict[str, Image], list[tuple[str, Reason]]]]:
    """Every picture of a source by its id, and every rejection as (sample id, reason)."""

    def read(source: Dataset[Image]) -> tuple[dict[str, Image], list[tuple[str, Reason]]]:
        readings: list[Reading[Image]] = [source.read(index) for index in range(len(source))]
        assert all(rejection.stage == "source" for reading in readings for rejection in reading.rejections)
        assert all(reading.item or reading.rejections for reading in readings)
        return (
            {reading.item.image_id: reading.item for reading in readings if reading.item},
            [(rejection.sample_id, rejection.reason) for reading in readings for rejection in reading.rejections],
        )

    return read
