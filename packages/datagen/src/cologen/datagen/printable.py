"""Text from data made safe to show: control characters escaped, for terminals, logs and Markdown.

A caption, an edit type or a path may hold anything: terminal escape sequences, rich's ``[markup]``, HTML, Markdown.
``console`` prints none of it as markup; ``markdown`` escapes it for a file. HTML pages escape it in ``pages``.
"""

from __future__ import annotations

import html
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
    """A console for messages and tables that may hold text from data."""
    return _PlainTextConsole(stderr=stderr, soft_wrap=stderr, markup=False, emoji=False, highlight=not stderr)


class _PlainTextConsole(Console):
    """Escapes strings before they are measured, and whatever else there is at the last step."""

    def render_str(self, text: str, **options: Any) -> Text:
        """What rich makes of a string: a message, a cell of a table."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What rich renders, with the text of each segment made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
