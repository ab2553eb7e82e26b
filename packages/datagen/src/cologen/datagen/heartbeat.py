"""Logs a line at regular intervals while a block runs, so that a long step shows that it is alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from cologen.reports.durations import duration

INTERVAL = 25.0
"""Seconds between two lines: a log has one in any 30 seconds, also on a busy machine."""


@contextmanager
def heartbeat(line: Callable[[], str], say: Callable[[str], None], interval: float = INTERVAL) -> Generator[None]:
    """Say ``line()`` and the time since the block began, every ``interval`` seconds until the block ends.

    ``line`` is called from another thread.
    """
    ended = threading.Event()
    start = time.monotonic()

    def beat() -> None:
        while not ended.wait(interval):
            say(f"{line()} ({duration(time.monotonic() - start)})")

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
