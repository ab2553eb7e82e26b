"""How a run is asked to stop: by a signal, after the step at hand."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

from cologen.datagen.interrupts import ending_with

_log = logging.getLogger(__name__)

INTERRUPTED_WORDS = "Interrupted. Checkpoints that were written are whole: --resume goes on from the newest, if any."


class Stopping:
    """Whether the run was asked to stop."""

    asked: bool = False


@contextmanager
def stopped_by_signals() -> Generator[Stopping, None, None]:
    """SIGTERM and SIGINT ask to stop after the present step; a second one of its kind stops at once.

    A second SIGINT ends the process with one line and code 130; a second SIGTERM does what it did before.

    Outside of the main thread, as under Ray Train, signals cannot be received; Ray stops the run then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Stopping()
        return
    stopping, before = Stopping(), {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, frame: object) -> None:
        stopping.asked = True
        signal.signal(number, ending_with(INTERRUPTED_WORDS) if number == signal.SIGINT else before[signal.SIGTERM])
        _log.warning("%s: finishing this step and saving", signal.Signals(number).name)

    for number in before:
        signal.signal(number, ask)
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
