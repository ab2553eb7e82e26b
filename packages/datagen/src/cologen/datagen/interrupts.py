"""Ctrl-C: the first one stops the work and cleans up; a second one ends the process at once.

SIGTERM can be taken for Ctrl-C, too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

STOPPED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""

_SHOW_CURSOR = "\x1b[?25h"
"""Shows the cursor again, after a bar or a spinner has hidden it."""


@contextmanager
def second_one_ends(words: str) -> Generator[None]:
    """Let Ctrl-C raise KeyboardInterrupt once; during the cleanup, a second one ends the process.

    Its last line is ``words``, its code 130. Outside of the main thread signals cannot be received, and nothing is
    changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, ending_with(words))
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is first:
            signal.signal(signal.SIGINT, before)


@contextmanager
def terminated_like_ctrl_c() -> Generator[None]:
    """Let SIGTERM, by which batch systems and containers stop a process, do what Ctrl-C does at that time.

    Outside of the main thread signals cannot be received, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def like_ctrl_c(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        # Where Ctrl-C is ignored, as in what shells start in the background, SIGTERM still stops.
        (handler if callable(handler) else signal.default_int_handler)(number, frame)

    before = signal.signal(signal.SIGTERM, like_ctrl_c)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def ending_with(words: str) -> Callable[[int, FrameType | None], None]:
    """A handler of SIGINT that ends the process at once, with ``words`` as its last line."""

    def end(_number: int, _frame: FrameType | None) -> None:
        cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
        os.write(2, f"{cursor}{words}\n".encode())
        os._exit(STOPPED)  # processes that work for this one see that it is gone, and end too

    return end
