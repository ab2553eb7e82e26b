"""Published files of weights: resumable, checksummed downloads.

Nothing here needs more than the standard library. Only one process at a time may download into a folder; the caller has
to make sure of that.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedWriter
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

TRIES = 5
"""How often a download is tried in a row without receiving a byte."""
TIMEOUT = 30.0
"""Seconds without a word from the server after which a try has failed."""
CHUNK = 1 << 20
"""Bytes written at a time, at most."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes downloaded so far, and the total where it is known."""

_TRANSIENT = (ConnectionError, TimeoutError, http.client.HTTPException)
_TRANSIENT_STATUS = frozenset({408, 425, 429})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A published file of weights or settings."""

    name: str
    url: str
    """http or https."""
    sha256: str | None
    """In hexadecimal; None where it is not published: then the hash of the first download is recorded beside it."""
    size: int | None
    """Bytes, where published."""
    purpose: str
    licence: str
    filename: str
    """Where it goes below the folder of models, such as ``bert-base-uncased/vocab.txt``."""

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise ValueError(f"url of {self.name} must begin with http:// or https:// and a host, got {self.url!r}")
        if self.sha256 is not None and not _is_hash(self.sha256):
            raise ValueError(f"sha256 of {self.name} must be 64 lowercase hexadecimal digits, got {self.sha256!r}")
        parts = PurePosixPath(self.filename).parts
        unsafe = not parts or parts[0] == "/" or ".." in parts or any(mark in self.filename for mark in "\\:\0")
        if unsafe:
            raise ValueError(f"filename of {self.name} must stay inside the folder of models, got {self.filename!r}")

    def path(self, folder: Path) -> Path:
        """The path of the whole file."""
        return folder / self.filename

    def part(self, folder: Path) -> Path:
        """Where the bytes are collected until the file is complete."""
        return self._beside(folder, ".part")

    def etag(self, folder: Path) -> Path:
        """Where the server's name for the version of those bytes is kept."""
        return self._beside(folder, ".part.etag")

    def record(self, folder: Path) -> Path:
        """Where the hash of the first download is kept if none is published, as ``sha256sum -c`` reads it."""
        return self._beside(folder, ".sha256")

    def expected(self, folder: Path) -> str | None:
        """The hash to check: the published or the recorded one.

        Raises:
            ValueError: the record does not hold a hash.
        """
        record = self.record(folder)
        if self.sha256 or not record.exists():
            return self.sha256
        found = record.read_text().split(maxsplit=1)[:1]
        if not found or not _is_hash(found[0]):
            raise ValueError(f"{record} does not hold a sha256: delete it, and the next run records it anew")
        return found[0]

    def _beside(self, folder: Path, suffix: str) -> Path:
        path = self.path(folder)
        return path.with_name(path.name + suffix)


def download(
    file: ModelFile, folder: Path, progress: Progress = lambda done, total: None, *, pause: float = 0.5
) -> Path:
    """The file's path, once it is there and checked; what an earlier try has fetched is not fetched again.

    Args:
        file: what to download.
        folder: the folder of models; made if it is not there.
        progress: called as the bytes come.
        pause: seconds before the second try, doubled for each further one that got no byte farther.

    Raises:
        ValueError: what is there, or came, is not the published file. What came damaged is removed.
        FileNotFoundError: the server does not give the file.
        OSError: no such host, a connection that fails time and again, or a full disk; what has come is kept.
    """
    target = file.path(folder)
    if target.exists():
        _check_present(file, folder)
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(file, folder, progress, pause)
        _accept(file, folder)
    except OSError as error:
        if error.errno in _FULL:
            raise OSError(f"the disk of {folder} is full: free some space, then the same command continues") from error
        raise
    return target


def _check_present(file: ModelFile, folder: Path) -> None:
    target, expected = file.path(folder), file.expected(folder)
    found = sha256_of(target)
    if expected is None:
        _write_record(file, folder, found)
    elif found != expected:
        raise ValueError(f"{target} is not the file it should be: its sha256 is {found}, not {expected}. Delete it")


def _accept(file: ModelFile, folder: Path) -> None:
    """Give the finished part its name, or remove it if it is not what it should be."""
    part, expected = file.part(folder), file.expected(folder)
    found = sha256_of(part)
    if expected not in (None, found):
        _discard(file, folder)
        raise ValueError(
            f"{file.name} came damaged from {file.url} and was removed: its sha256 is {found}, not {expected}. "
            "Run the command again; if that does not help, the file was changed at its source"
        )
    part.replace(file.path(folder))
    file.etag(folder).unlink(missing_ok=True)
    if file.sha256 is None:
        _write_record(file, folder, found)


def _fetch(file: ModelFile, folder: Path, progress: Progress, pause: float) -> None:
    """Try until the part is whole, or ``TRIES`` times in a row without getting farther."""
    tries, farthest = 0, _size(file.part(folder))
    while _size(file.part(folder)) != file.size:
        try:
            _attempt(file, folder, progress)
        except _TRANSIENT as error:
            # A server that drops the connection and supports no ranges starts again each time: that is no progress.
            reached = _size(file.part(folder))
            tries, farthest = (0, reached) if reached > farthest else (tries + 1, farthest)
            if tries >= TRIES:
                raise OSError(f"{file.url} failed {TRIES} times in a row, at last: {error}. Try again later") from error
            time.sleep(pause * 2**tries)
        else:
            return


def _attempt(file: ModelFile, folder: Path, progress: Progress) -> None:
    part = file.part(folder)
    with _open(file, folder, _resume(file, folder)) as response:
        start, total = _span(response)
        if start not in (0, _size(part)) or (file.size is not None and total not in (None, file.size)):
            _discard(file, folder)
            raise ValueError(f"{file.url} offers {total} bytes from byte {start} on, expected {file.size} in all")
        _need_space(folder, (total or 0) - start)
        with part.open("ab" if start else "wb") as out:
            if not start:
                # Only now, when the bytes of another version are gone.
                file.etag(folder).write_text(response.headers.get("ETag", ""))
            done = _copy(response, out, start, lambda done: progress(done, total or file.size))
    if done < (total or file.size or done):
        raise ConnectionError(f"the connection ended after {done:,} of {total or file.size:,} bytes")


def _copy(response: http.client.HTTPResponse, out: BufferedWriter, done: int, progress: Callable[[int], None]) -> int:
    """Append what comes; the bytes there are at the end."""
    progress(done)
    # read1 hands over what has come; read would lose it when the line breaks.
    while chunk := response.read1(CHUNK):
        out.write(chunk)
        done += len(chunk)
        progress(done)
    out.flush()
    os.fsync(out.fileno())
    return done


def _resume(file: ModelFile, folder: Path) -> dict[str, str]:
    """The headers that ask for the rest, if it surely belongs to the bytes that are there, or if a hash will check
    it."""
    have, etag = _size(file.part(folder)), file.etag(folder)
    name = etag.read_text() if etag.exists() else ""
    if have and name.startswith('"'):  # a weak one, W/"…", may name other bytes (RFC 9110, 13.1.5)
        return {"Range": f"bytes={have}-", "If-Range": name}
    if have and file.expected(folder):
        return {"Range": f"bytes={have}-"}
    return {}


def _open(file: ModelFile, folder: Path, headers: dict[str, str]) -> http.client.HTTPResponse:
    try:
        return build_opener(_Redirects).open(Request(file.url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            _discard(file, folder)
            raise ConnectionError("what was there is longer than the file") from error
        if error.code in _TRANSIENT_STATUS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ConnectionError(f"HTTP {error.code} {error.reason}") from error
        raise FileNotFoundError(f"{file.name} is not to be had from {file.url}: {error.code} {error.reason}") from error
    except URLError as error:
        if isinstance(error.reason, _TRANSIENT):
            raise ConnectionError(str(error.reason)) from error
        host = urlsplit(file.url).hostname
        raise OSError(f"cannot reach {host}: {error.reason}. Is there a network, or a proxy to be set?") from error


class _Redirects(HTTPRedirectHandler):
    """Follows to http and https alone, and never from https down to http."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ({"https"} if req.type == "https" else {"http", "https"}):
            raise HTTPError(newurl, code, "a redirect away from https", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _span(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """The first byte that comes, and how many the file has in all if the server tells."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == HTTPStatus.PARTIAL_CONTENT and found:
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = response.headers.get("Content-Length")
    return 0, None if length is None else int(length)


def _need_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise OSError(f"{num_bytes:,} bytes are still to come and {folder} has {free:,} free: make room for them")


def _discard(file: ModelFile, folder: Path) -> None:
    for path in (file.part(folder), file.etag(folder)):
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_hash(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _write_record(file: ModelFile, folder: Path, found: str) -> None:
    file.record(folder).write_text(f"{found}  {file.path(folder).name}\n")
