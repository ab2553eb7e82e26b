from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from cologen.datagen.model_files import ModelFile
from pipelines import fetch_models, model_catalog
from pipelines.fetch_models import main

CONTENT = b"weights" * 1000


class Published(NamedTuple):
    names: list[str]
    asked: list[str]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    """Three files on a server of this machine that drops its first line half way; the second one is damaged."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            content = (CONTENT if self.path != "/b" else b"W" + CONTENT[1:])[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", '"1"')
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if len(asked) == 1 else content)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    monkeypatch.setenv("no_proxy", "*")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        known = hashlib.sha256(CONTENT).hexdigest()
        catalog = tuple(
            ModelFile(
                name=name,
                url=f"http://127.0.0.1:{server.server_port}/{name}",
                sha256=None if name == "c" else known,
                size=len(CONTENT),
                purpose=f"testing {name}",
                licence="MIT",
                filename=f"{name}/net.pth",
            )
            for name in "abc"
        )
        monkeypatch.setattr(fetch_models, "CATALOG", catalog)
        monkeypatch.setattr(fetch_models.CONSOLE, "width", 160)
        yield Published(["a", "b", "c"], asked)
        server.shutdown()
        thread.join()


def test_a_dropped_line_is_resumed_and_the_next_run_only_checks(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--only", "a", "c", "--out", str(tmp_path / "models")]
    assert main(command) == 0
    assert published.asked == ["/a", f"/a bytes={len(CONTENT) // 2}-", "/c"]
    assert (tmp_path / "models/a/net.pth").read_bytes() == CONTENT
    assert (tmp_path / "models/c/net.pth.sha256").exists()
    assert capsys.readouterr().out.count("is here") == 2
    assert main(command) == 0
    assert len(published.asked) == 3


def test_a_damaged_file_fails_the_command_and_not_the_others(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "models")]) == 1
    output = capsys.readouterr()
    assert output.out.count("is here") == 2
    assert "Failed: b came damaged" in output.err
    assert "Traceback" not in output.err
    assert not list((tmp_path / "models/b").iterdir())


@pytest.mark.parametrize("flag", ["--list", "--dry-run"])
def test_looking_fetches_nothing(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert main([flag, "--out", str(tmp_path / "models")]) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("testing a", "7.0 kB", "MIT", "missing; hash recorded at first download"))
    assert ("would fetch" in shown) == (flag == "--dry-run")
    assert not published.asked
    assert not (tmp_path / "models").exists()


def test_what_came_so_far_is_shown(published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/net.pth.part").write_bytes(CONTENT[:700])
    assert main(["--list", "--only", "a", "--out", str(tmp_path)]) == 0
    assert "700 bytes are here" in capsys.readouterr().out


def test_an_unknown_name_is_wrong_usage(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--only", "d"])
    assert exit_.value.code == 2
    assert "there are a, b, c" in capsys.readouterr().err


def test_the_catalog_has_one_file_per_name_and_place() -> None:
    catalog = model_catalog.CATALOG
    assert len({file.name for file in catalog}) == len({file.filename for file in catalog}) == len(catalog)
    assert all(file.url.startswith("https://") for file in catalog)
