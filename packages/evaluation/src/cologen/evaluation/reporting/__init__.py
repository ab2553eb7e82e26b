"""The log to figures, tables, a gallery and a page."""
