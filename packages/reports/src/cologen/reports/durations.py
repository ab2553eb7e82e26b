"""A length of time in words, the same in logs, tables and pages."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """0:07, 12:34, 3:25:45, and days beyond: 5 d 3 h."""
    whole = round(seconds)
    if whole >= 2 * 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
