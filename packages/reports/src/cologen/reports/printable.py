"""Text from data made safe to show: control characters escaped, for terminals, logs and Markdown.

A caption, an edit type or a path may hold anything: terminal escape sequences, rich's ``[markup]``, HTML, Markdown.
``console`` prints none of it as markup; ``markdown`` escapes it for a file. HTML pages escape it in ``page``. A message
is never broken into lines, so that a path in it can be copied from a terminal and searched for in a log.
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

# C0 and C1 controls except newline and tab, line separators, bidirectional overrides (they reorder what is read), and
# lone surrogates (they cannot be encoded).
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What has a meaning inside a line; an underscore has none between letters.
_MARKDOWN = re.compile(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w))")


def printable(text: str) -> str:
    r"""The text with each unsafe character written as its escape: ``ESC`` becomes the four letters ``\x1b``."""
    return _UNSAFE.sub(lambda found: ascii(found.group())[1:-1], text)


def markdown(text: str) -> str:
    """The text as it reads in Markdown, on one line: no markup of Markdown or HTML in it takes effect."""
    return html.escape(_MARKDOWN.sub(r"\\\1", " ".join(printable(text).split())), quote=False)


def console(*, stderr: bool = False) -> Console:
    """A console for messages and tables that may hold text from data. In a log, which has no width, nothing is cut."""
    made = _PlainTextConsole(stderr=stderr, markup=False, emoji=False, highlight=not stderr)
    if not made.is_terminal:
        made.width = _LOG_WIDTH
    return made


_LOG_WIDTH = 10_000
"""Letters; more than any table has."""


class LogLines(logging.Handler):
    """Writes each record of the log on a console, as a message with its time and level."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s %(message)s", datefmt="%X"))

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        try:
            self._console.print(self.format(record))
        except Exception:  # noqa: BLE001, as every handler: a record that cannot be written stops nothing
            self.handleError(record)


class _PlainTextConsole(Console):
    """Escapes strings before they are measured, and whatever else there is at the last step; messages keep one line."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's; the terminal breaks what is too long for it, unless the message has parts that are laid out."""
        if all(isinstance(each, str) for each in objects):
            options.setdefault("soft_wrap", True)
        super().print(*objects, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """What rich makes of a string: a message, a cell of a table."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What rich renders, with the text of each segment made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
