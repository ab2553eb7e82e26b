"""A file arrives whole, or the folder says why not: over a server on this machine that breaks in every way."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cologen.datagen.model_files import TRIES, ModelFile, download

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server gives and how it misbehaves; ``asked`` are the headers of each request."""

    url: str = ""
    content: bytes = CONTENT
    etag: str | None = '"v1"'
    ranges: bool = True
    tells_length: bool = True
    length: int | None = None
    """The length it tells, if not the right one."""
    drops: list[int] = field(default_factory=list)
    """Bytes after which the next responses break off."""
    statuses: list[int] = field(default_factory=list)
    """What the next responses are instead."""
    location: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def starts(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.asked]


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(dict(self.headers))
            if site.statuses:
                self.send_response(site.statuses.pop(0))
                if site.location:
                    self.send_header("Location", site.location)
                self.end_headers()
                return
            content, size = site.content, len(site.content)
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            if not site.ranges or self.headers.get("If-Range", site.etag) != site.etag:
                start = 0
            if start >= size:
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if site.tells_length:
                self.send_header("Content-Length", str(site.length or size - start))
            if site.etag:
                self.send_header("ETag", site.etag)
            self.end_headers()
            self.wfile.write(content[start : start + site.drops.pop(0)] if site.drops else content[start:])

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "*")
    site = Site()
    with HTTPServer(("127.0.0.1", 0), handler(site)) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/net.pth"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def model(site: Site | str, sha256: str | None = SHA256, size: int | None = len(CONTENT), filename: str = "net.pth"):
    return ModelFile(
        name="net",
        url=site if isinstance(site, str) else site.url,
        sha256=sha256,
        size=size,
        purpose="tests",
        licence="none",
        filename=filename,
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_is_not_fetched_again(site: Site, tmp_path: Path):
    seen: list[tuple[int, int | None]] = []
    file = model(site, filename="sub/net.pth")
    path = download(file, tmp_path / "models", lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "models/sub/net.pth"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["net.pth"]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert download(file, tmp_path / "models") == path
    assert len(site.asked) == 1


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', None])
def test_a_connection_that_drops_half_way_goes_on_where_it_was(site: Site, tmp_path: Path, etag: str | None):
    site.drops, site.etag = [100_000, 50_000], etag
    assert download(model(site), tmp_path, pause=0.0).read_bytes() == CONTENT
    assert site.starts == [None, "bytes=100000-", "bytes=150000-"]
    assert site.asked[1].get("If-Range") == (etag if etag == '"v1"' else None)
    assert names(tmp_path) == ["net.pth"]


def test_a_process_that_stopped_is_continued_by_the_next(site: Site, tmp_path: Path):
    def stop(done: int, total: int | None) -> None:
        if done >= 1000:
            raise KeyboardInterrupt

    site.drops = [1000]
    with pytest.raises(KeyboardInterrupt):
        download(model(site), tmp_path, stop)
    assert names(tmp_path) == ["net.pth.part", "net.pth.part.etag"]
    assert download(model(site), tmp_path).read_bytes() == CONTENT
    assert site.starts == [None, "bytes=1000-"]


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(site: Site, tmp_path: Path):
    (tmp_path / "net.pth.part").write_bytes(b"old" * 100)
    (tmp_path / "net.pth.part.etag").write_text('"v0"')
    assert download(model(site), tmp_path).read_bytes() == CONTENT
    assert site.starts == ["bytes=300-"]


def test_bytes_of_unknown_version_are_not_joined_when_no_hash_would_tell(site: Site, tmp_path: Path):
    site.etag = None
    (tmp_path / "net.pth.part").write_bytes(b"old" * 100)
    assert download(model(site, sha256=None), tmp_path).read_bytes() == CONTENT
    assert site.starts == [None]


def test_a_server_without_ranges_starts_anew_and_is_not_asked_for_ever(site: Site, tmp_path: Path):
    site.ranges, site.drops = False, [100_000]
    assert download(model(site), tmp_path / "a", pause=0.0).read_bytes() == CONTENT
    site.asked.clear()
    site.drops = [100_000] * 100
    with pytest.raises(OSError, match="5 times in a row, at last: the connection ended after 100,000 of 256,000"):
        download(model(site), tmp_path / "b", pause=0.0)
    assert len(site.asked) == TRIES + 1  # the first one got farther


@pytest.mark.parametrize("statuses", [[503, 429], [500] * (TRIES - 1)])
def test_a_server_in_trouble_is_asked_again(site: Site, tmp_path: Path, statuses: list[int]):
    site.statuses = statuses
    assert download(model(site), tmp_path, pause=0.0).read_bytes() == CONTENT


def test_a_part_that_is_whole_needs_no_server(tmp_path: Path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    assert download(model("http://127.0.0.1:9/net.pth"), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(site: Site, tmp_path: Path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT + b"more")
    assert download(model(site), tmp_path, pause=0.0).read_bytes() == CONTENT


def test_a_damaged_file_is_refused_and_removed(site: Site, tmp_path: Path):
    site.content = CONTENT[:-1] + b"x"
    with pytest.raises(ValueError, match=f"came damaged from {site.url} and was removed.*not {SHA256}"):
        download(model(site), tmp_path)
    assert names(tmp_path) == []


def test_another_size_is_refused_before_it_is_fetched(site: Site, tmp_path: Path):
    site.content = b"<html>log in first</html>"
    with pytest.raises(ValueError, match="offers 25 bytes from byte 0 on, expected 256000 in all"):
        download(model(site), tmp_path)
    assert names(tmp_path) == []


def test_a_file_of_the_users_own_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "net.pth").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"is not the file it should be.*Delete it"):
        download(model("http://127.0.0.1:9/net.pth"), tmp_path)
    assert (tmp_path / "net.pth").read_bytes() == b"mine"


@pytest.mark.parametrize("tells_length", [True, False])
def test_an_unpublished_hash_is_recorded_once_and_checked_from_then_on(site: Site, tmp_path: Path, tells_length: bool):
    site.tells_length = tells_length
    file = model(site, sha256=None, size=None)
    path = download(file, tmp_path)
    assert path.read_bytes() == CONTENT
    assert (tmp_path / "net.pth.sha256").read_text() == f"{SHA256}  net.pth\n"
    assert file.expected(tmp_path) == SHA256
    path.write_bytes(b"rotten")
    with pytest.raises(ValueError, match="is not the file it should be"):
        download(file, tmp_path)
    path.unlink()
    site.content = b"another"
    with pytest.raises(ValueError, match="came damaged"):
        download(file, tmp_path)
    (tmp_path / "net.pth.sha256").write_text("rotten")
    with pytest.raises(ValueError, match="does not hold a sha256: delete it"):
        download(file, tmp_path)


def test_a_file_without_a_record_gets_one(tmp_path: Path):
    (tmp_path / "net.pth").write_bytes(CONTENT)
    download(model("http://127.0.0.1:9/net.pth", sha256=None), tmp_path)
    assert (tmp_path / "net.pth.sha256").read_text().startswith(SHA256)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_the_server_does_not_give_is_one_message_at_once(site: Site, tmp_path: Path, status: int):
    site.statuses = [status]
    with pytest.raises(FileNotFoundError, match=f"net is not to be had from {site.url}: {status}"):
        download(model(site), tmp_path)
    assert len(site.asked) == 1


def test_a_host_without_a_name_is_one_message_at_once(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError, match=r"cannot reach weights.example: .*Name or service not known"):
        download(model("https://weights.example/net.pth"), tmp_path)


def test_a_port_where_nobody_listens_is_given_up(site: Site, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/net.pth"
    with pytest.raises(OSError, match=r"5 times in a row, at last: .*refused"):
        download(model(url), tmp_path, pause=0.0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_disk_that_fills_up_is_one_message(site: Site, tmp_path: Path):
    (tmp_path / "net.pth.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"the disk of .* is full: free some space, then the same command continues"):
        download(model(site), tmp_path)
    assert len(site.asked) == 1


def test_a_file_that_cannot_fit_is_not_begun(site: Site, tmp_path: Path):
    site.length = 1 << 60
    with pytest.raises(OSError, match="1,152,921,504,606,846,976 bytes are still to come"):
        download(model(site, sha256=None, size=None), tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/net.pth"])
def test_a_redirect_out_of_the_web_is_refused(site: Site, tmp_path: Path, location: str):
    site.statuses, site.location = [302], location
    with pytest.raises(FileNotFoundError, match="not to be had"):
        download(model(site), tmp_path)


def test_a_redirect_keeps_the_range(site: Site, tmp_path: Path):
    site.statuses, site.location = [302], site.url + "/elsewhere"
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:10])
    assert download(model(site), tmp_path).read_bytes() == CONTENT
    assert site.starts == ["bytes=10-"] * 2


@pytest.mark.parametrize("filename", ["", ".", "../net.pth", "a/../../net.pth", "/net.pth", "a\\b", "C:net.pth", "a\0"])
def test_no_name_leaves_the_folder(filename: str):
    with pytest.raises(ValueError, match="must stay inside the folder"):
        model("https://weights.example/net.pth", filename=filename)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/net.pth", "net.pth", "https:///net.pth"])
def test_only_the_web_is_a_source(url: str):
    with pytest.raises(ValueError, match="must begin with http"):
        model(url)


def test_a_hash_is_64_hexadecimal_digits():
    with pytest.raises(ValueError, match="64 lowercase hexadecimal digits"):
        model("https://weights.example/net.pth", sha256="4b8939")
