"""The frame of every HTML page: nothing in it runs, nothing is fetched, and text from data is never markup.

Pages are put together with ``markupsafe``: whatever ``Markup.format`` or ``join`` takes in is escaped unless it is
``Markup`` itself. A Content-Security-Policy forbids scripts and requests, should anything be missed.
"""

from __future__ import annotations

from markupsafe import Markup

from cologen.reports.printable import printable

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_FRAME = Markup(
    '<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv="Content-Security-Policy" content="{policy}">'
    '<meta name=viewport content="width=device-width,initial-scale=1"><title>{title}</title>'
    "<style>{style}</style><h1>{title}</h1>\n{body}</html>"
)


def page(title: str, style: Markup, body: Markup) -> bytes:
    """A whole page, encoded; ``style`` is CSS that holds no text from data."""
    text = _FRAME.format(policy=Markup(_POLICY), title=title, style=style, body=body)
    return printable(text).encode()


def joined(pieces: list[Markup]) -> Markup:
    """The pieces one after the other."""
    return Markup().join(pieces)
