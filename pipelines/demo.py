"""``python -m pipelines.demo``: a page to try the five tasks on, in a browser."""

from __future__ import annotations

import ipaddress
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from cologen.datagen.interrupts import STOPPED
from cologen.datagen.usage import require_range
from cologen.model.opening import fetched_base
from pipelines.console import CONSOLE, run
from pipelines.pipeline_options import PipelineOptions

_LAST_PORT = 65535


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


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _serve, args)


def _serve(options: Options) -> int:
    """Open the model, serve the page, and wait for Ctrl-C."""
    if find_spec("gradio") is None:
        raise RuntimeError(
            "the page needs Gradio, which is not installed: uv run --extra demo python -m pipelines.demo"
        )
    _keep_gradio_offline()
    from pipelines.demo_answers import Model
    from pipelines.demo_page import page, style, theme

    if not is_loopback(options.host):
        CONSOLE.print(f"Warning: everybody who can reach {options.host} can use the page: it has no password.")
    if options.base is not None:
        options = replace(options, base=fetched_base(options.base))
    blocks = page(Model.of(options), options.base or f"{options.preset}, trained on the synthetic dataset")
    try:
        blocks.launch(
            server_name=options.host,
            server_port=options.port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
            ssr_mode=False,
            mcp_server=False,
            max_file_size="32mb",
            theme=theme(),
            css=style(),
        )
        CONSOLE.print(f"The page is at http://{options.host}:{options.port}: Ctrl-C ends it.")
        threading.Event().wait()
    except KeyboardInterrupt:
        CONSOLE.print("Stopped.")
    finally:
        blocks.close(verbose=False)
    return STOPPED


def _keep_gradio_offline() -> None:
    """Gradio reads this when it is imported: no figures of use are sent, and no newer version is asked for."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
