"""How a run is asked to stop: by a signal, after the step at hand."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

_log = logging.getLogger(__name__)


class Stopping:
    """Whether the run was asked to stop."""

    asked: bool = False


@contextmanager
def stopped_by_signals() -> Generator[Stopping, None, None]:
    """SIGTERM and SIGINT ask to stop after the present step; a second one stops at once.

    Beside the main thread, where Ray Train runs a loop, signals cannot be heard: stopping is Ray's business then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Stopping()
        return
    stopping, before = Stopping(), {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, frame: object) -> None:
        stopping.asked = True
        signal.signal(number, before[signal.Signals(number)])
        _log.warning("%s: finishing this step and saving", signal.Signals(number).name)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
