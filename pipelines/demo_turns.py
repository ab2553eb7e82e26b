"""Whose turn it is on the demo page: one picture is drawn at a time, and the one being drawn can be stopped."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, Lock


class Stopped(Exception):  # noqa: N818, nothing went wrong
    """The picture was stopped before it was done."""


class Turns:
    """Gives turns one at a time, until it is closed."""

    def __init__(self) -> None:
        self._busy, self._stop, self._closed = Lock(), Event(), Event()

    @property
    def stopping(self) -> bool:
        """Whether the turn that is taken is to end."""
        return self._stop.is_set()

    @contextmanager
    def taken(self) -> Generator[None]:
        """Wait for a turn and take it; a stop that was asked for before is not meant for it.

        Raises:
            Stopped: there are no more turns.
        """
        with self._busy:
            self._stop.clear()
            if self._closed.is_set():
                raise Stopped
            yield

    def stop(self) -> None:
        """Ask the turn that is taken, if one is, to end."""
        self._stop.set()

    def close(self, seconds: float) -> bool:
        """Give no more turns, ask the one that is taken to end, and wait for that; whether it did in this time."""
        self._closed.set()  # before the stop, which a turn that begins now clears
        self._stop.set()
        ended = self._busy.acquire(timeout=seconds)
        if ended:
            self._busy.release()
        return ended
