"""``python -m pipelines.demo``: a page to try the five tasks on, in a browser."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from types import MappingProxyType

from cologen.datagen.interrupts import STOPPED
from cologen.datagen.usage import require_range
from cologen.model.opening import fetched_base
from cologen.model.presets import preset
from pipelines.console import CONSOLE, run
from pipelines.pipeline_options import PipelineOptions

_LAST_PORT = 65535
_PATIENCE = 10.0
"""Seconds for a picture to stop: a step cannot be interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(PipelineOptions):
    """Open a page on which the five tasks can be tried: pictures are uploaded or clicked, holes are painted.

    Without --base the base is a small one, trained on the synthetic dataset: the bundled one, or --weights. It draws
    pictures of 32 pixels a side. The page needs Gradio: uv run --extra demo python -m pipelines.demo
    """

    host: str = "127.0.0.1"
    """The address that the page is served on. Any other than this machine's own can be opened by others, who need no
    password."""
    port: int = 7860
    """The port that the page is served on."""

    def __post_init__(self) -> None:
        PipelineOptions.__post_init__(self)  # with slots, super() is not there
        require_range(self, "port", least=1, most=_LAST_PORT)
        if not self.host.strip():
            raise ValueError("--host is empty: leave it out for this machine alone, or give an address such as 0.0.0.0")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _serve, args)


def _serve(options: Options) -> int:
    """Open the model, serve the page, and wait for Ctrl-C."""
    if find_spec("gradio") is None:
        raise RuntimeError(
            "the page needs Gradio, which is not installed: uv run --extra demo python -m pipelines.demo"
        )
    _refuse_taken(options.host, options.port)
    if not is_loopback(options.host):
        CONSOLE.print(f"Warning: everybody who can reach {options.host} can use the page: it has no password.")
    with TemporaryDirectory(prefix="cologen-demo-") as folder:
        os.environ.update(_OF_GRADIO, GRADIO_TEMP_DIR=folder)
        ended = _served(options)
    if not ended:
        os._exit(STOPPED)  # as the interpreter's own end would abort a thread that still draws
    return STOPPED


_OF_GRADIO = MappingProxyType({"GRADIO_ANALYTICS_ENABLED": "False"})
"""Read when Gradio is imported: no figures of use are sent, and no newer version is asked for."""


def _served(options: Options) -> bool:
    """Serve until Ctrl-C; whether nothing is drawn any more. Uploads and results are in Gradio's folder."""
    from pipelines.demo_answers import Model
    from pipelines.demo_page import launched, page

    if options.base is not None:
        options = replace(options, base=fetched_base(options.base))
    model = Model.of(options)
    blocks = page(model, options.base or _about(options.preset))
    ended = True
    try:
        launched(blocks, options.host, options.port)
        CONSOLE.print(f"The page is at {address(options.host, options.port)}: Ctrl-C ends it.")
        threading.Event().wait()
    except KeyboardInterrupt:
        CONSOLE.print("Stopped.")
    finally:
        ended = model.turns.close(_PATIENCE)
        blocks.close(verbose=False)
    return ended


def _about(name: str) -> str:
    """What a small base draws, in a line."""
    return (
        f"{name}, trained on the synthetic dataset: thumbnails of {preset(name).side} pixels, of objects such as "
        "balls, rings and fish"
    )


def _refuse_taken(host: str, port: int) -> None:
    """Before the model is opened, which takes its time.

    Raises:
        RuntimeError: nothing can be served there.
    """
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            tried.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise RuntimeError(f"port {port} is in use: give another --port") from error
        raise RuntimeError(f"the page cannot be served on --host {host}, --port {port}: {error.strerror}") from error


def address(host: str, port: int) -> str:
    """Of the page; in a URL, an address of IPv6 stands in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
