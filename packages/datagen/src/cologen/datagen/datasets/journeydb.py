"""JourneyDB: generated pictures with prompts and captions, unpacked or straight from the archives it comes in."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from cologen.datagen import images
from cologen.datagen.datasets.files import fields, text_files
from cologen.datagen.datasets.files.index import Listing, Row, open_index
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading
from cologen.datagen.datasets.files.requirements import first_folder, require_split
from cologen.datagen.images import addresses, tar_members
from cologen.datagen.records import Image, Reason, RejectedError

NAME = "journeydb"
_SPLITS = {"train": "train", "val": "valid", "valid": "valid"}
_ARCHIVES = (".tgz", ".tar.gz", ".tar")
"""The suffixes of shards, and of lists; the first is the published one."""
_UNREAD_ARCHIVES = (".zip", ".tar.zst", ".tar.xz", ".tar.bz2", ".7z", ".rar")
_GZIP = b"\x1f\x8b"
_PICTURE = re.compile(rb'"img_path"\s*:\s*"([^"\\]+)"')
_SUFFIX = re.compile(r"\.\w+$")


def open_journeydb(root: Path, split: str = "train") -> Dataset[Image]:
    """``data/<split>/*_repath.jsonl`` or its ``.tgz``, with pictures ``imgs/NNN/*.jpg`` or in ``imgs/NNN.tgz``.

    Archives may end in ``.tar.gz`` or ``.tar`` too. ``root`` may also be ``data`` or the folder above ``JourneyDB``.
    Pictures come in the order of paths; malformed lines have places of their own.

    Raises:
        FileNotFoundError: the root, the split's folder or the annotation file is missing.
        ValueError: an unknown split, a list that is no UTF-8, or a damaged archive of it.
    """
    name = require_split(NAME, split, _SPLITS)
    folder = first_folder(root, [f"data/{name}", name, f"JourneyDB/data/{name}"])
    files = _annotation_files(folder)
    rows = open_index(root, files, [NAME, split], partial(_list_pictures, files))
    pictures = (folder.relative_to(root) / "imgs").as_posix()
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_interpret, root, split, pictures))


def _interpret(root: Path, split: str, pictures: str, key: str, payload: bytes) -> Reading[Image]:
    row = fields.parse_record(payload)
    path = addresses.normal(fields.text(row, "img_path"))
    caption = _caption(row)
    if not caption:
        raise RejectedError(Reason.NULL_CAPTION, "neither Task2.Caption nor prompt has words")
    uri = _uri(root, pictures, path)
    width, height = images.probe(root, uri)
    image = Image(
        image_id=key, image_uri=uri, width=width, height=height, split=split, captions=(caption,)
    )  # fmt: skip
    return Reading(item=image)


def _uri(root: Path, pictures: str, path: str) -> str:
    """The picture in its folder; in the archive of that folder where it is not unpacked."""
    unpacked = f"{pictures}/{path}"
    # Not pathlib's: these two know that a name of 300 letters is no file, and take a third of the time.
    if not os.path.exists(os.path.join(root, unpacked)):  # noqa: PTH110, PTH118
        shard = f"{pictures}/{path.partition('/')[0]}"
        for archive in (shard + suffix for suffix in _ARCHIVES):
            if os.path.isfile(os.path.join(root, archive)):  # noqa: PTH113, PTH118
                return addresses.address(archive, path)
        for archive in (shard + suffix for suffix in _UNREAD_ARCHIVES):
            if os.path.isfile(os.path.join(root, archive)):  # noqa: PTH113, PTH118
                detail = f"{archive} cannot be read: unpack it, or give a .tar or .tgz"
                raise RejectedError(Reason.UNSUPPORTED_ARCHIVE, detail)
    return addresses.address(unpacked)


def _caption(row: fields.Record) -> str:
    understanding = row.get("Task2")
    caption: Any = understanding.get("Caption") if isinstance(understanding, dict) else None
    return fields.words(caption) or fields.words(row.get("prompt"))


def _annotation_files(folder: Path) -> Sequence[Path]:
    for pattern in ("*_repath.jsonl", *(f"*_repath.jsonl{suffix}" for suffix in _ARCHIVES)):
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
            path = _path_in(line)
            yield f"line-{number:09d}" if path is None else _key(path), line


def _path_in(line: bytes) -> str | None:
    """The picture's path as JSON means it (``000\\/a.jpg`` is ``000/a.jpg``), or as it stands in what is malformed."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = fields.parse_or_mark(line)
    if isinstance(row, dict) and fields.is_rejected(row):
        found = _PICTURE.search(line)
        return found[1].decode(errors="backslashreplace") if found else None
    path = row.get("img_path") if isinstance(row, dict) else None
    return path if isinstance(path, str) else None


def _key(path: str) -> str:
    """One name for all spellings of a path: without detours and suffix, in printable letters."""
    try:
        path = addresses.normal(path)
    except RejectedError:
        path = path.removeprefix("./")
    path = _SUFFIX.sub("", path)
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def _lines(path: Path) -> Iterator[bytes]:
    if path.suffix == ".jsonl":
        with path.open("rb") as file:
            yield from text_files.lines(file.readline, path)
        return
    try:
        with _unpacked(path) as file:
            for member, content in tar_members.members(file):
                # macOS packs a "._" twin beside each file.
                if member.name.endswith(".jsonl") and not Path(member.name).name.startswith("._"):
                    listed = content()
                    if listed is None:
                        raise ValueError(
                            f"{path}: {member.name!a} in it is a link or a sparse file: pack the list anew"
                        )
                    yield from text_files.lines(listed.readline, path)
    except (tar_members.BrokenArchiveError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged archive: {error}") from error


def _unpacked(path: Path) -> io.BufferedIOBase:
    """The tar file in an archive, whatever its suffix says."""
    with path.open("rb") as file:
        is_gzip = file.read(len(_GZIP)) == _GZIP
    return gzip.GzipFile(path) if is_gzip else path.open("rb")
