"""JourneyDB: generated pictures with prompts and captions, unpacked or straight from the archives it comes in."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cologen.datagen import images, local_files
from cologen.datagen.records import Image, Reading, Reason, RejectedError
from cologen.datagen.sources import fields
from cologen.datagen.sources.index import Listing, Row, open_index
from cologen.datagen.sources.layout import first_folder, require_split
from cologen.datagen.sources.reading import read_row

_SPLITS = {"train": "train", "val": "valid", "valid": "valid"}
_PICTURE = re.compile(rb'"img_path"\s*:\s*"(?:\./)*([^"\\]+?)(?:\.\w+)?"')


class JourneyDB:
    """``data/<split>/*_repath.jsonl`` or its ``.tgz``, with pictures ``imgs/NNN/*.jpg`` or in ``imgs/NNN.tgz``.

    ``root`` may also be ``data`` itself or the folder above ``JourneyDB``.

    Raises:
        FileNotFoundError: the root, the split's folder or the annotation file is missing.
        ValueError: an unknown split.
    """

    name = "journeydb"
    annotated = False

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, split
        name = require_split(self.name, split, _SPLITS)
        folder = first_folder(root, [f"data/{name}", name, f"JourneyDB/data/{name}"])
        self._images = folder.relative_to(root) / "imgs"
        files = _annotation_files(folder)
        self._rows = open_index(root, files, [self.name, split], partial(_list_pictures, files))

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> Reading:
        """The picture at ``index`` in the order of paths; malformed lines have places of their own."""
        return read_row(self.name, self._rows, index, self._interpret)

    def fingerprint(self) -> str:
        """A hash of the names and sizes of the annotation files and the number of rows."""
        return self._rows.fingerprint

    def _interpret(self, key: str, payload: bytes) -> Reading:
        row = fields.parse_record(payload)
        path = local_files.normal(fields.text(row, "img_path"))
        caption = _caption(row)
        if not caption:
            raise RejectedError(Reason.NULL_CAPTION, "neither Task2.Caption nor prompt has words")
        uri = self._uri(path)
        width, height = images.probe(self._root, uri)
        image = Image(
            image_id=key, image_uri=uri, width=width, height=height, split=self._split, captions=(caption,)
        )  # fmt: skip
        return Reading(image=image)

    def _uri(self, path: str) -> str:
        """The picture in its folder; in the archive of that folder where it is not unpacked."""
        shard = path.partition("/")[0]
        archive = self._images / f"{shard}.tgz"
        unpacked = self._images / path
        if not (self._root / unpacked).exists() and (self._root / archive).is_file():
            return f"{archive.as_posix()}#{path}"
        return unpacked.as_posix()


def _caption(row: fields.Record) -> str:
    understanding = row.get("Task2")
    caption: Any = understanding.get("Caption") if isinstance(understanding, dict) else None
    return fields.words(caption) or fields.words(row.get("prompt"))


def _annotation_files(folder: Path) -> Sequence[Path]:
    for pattern in ("*_repath.jsonl", "*_repath.jsonl.tgz"):
        if files := sorted(folder.glob(pattern)):
            return files
    others = ", ".join(path.name for path in sorted(folder.glob("*.jsonl*"))) or "no other either"
    raise FileNotFoundError(
        f"no file *_repath.jsonl or *_repath.jsonl.tgz in {folder} ({others}): "
        "only the repath files name the pictures as the archives do"
    )


def _list_pictures(files: Sequence[Path]) -> Listing:
    return Listing(rows=_rows(files))


def _rows(files: Sequence[Path]) -> Iterator[Row]:
    lines = (line for path in files for line in _lines(path))
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found = _PICTURE.search(line)
            yield found[1].decode(errors="backslashreplace") if found else f"line-{number:09d}", line


def _lines(path: Path) -> Iterator[bytes]:
    if path.suffix == ".jsonl":
        with path.open("rb") as file:
            yield from file
        return
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                # macOS packs a "._" twin beside each file.
                if member.name.endswith(".jsonl") and not Path(member.name).name.startswith("._"):
                    yield from archive.extractfile(member) or ()
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged archive: {error}") from error
