"""The endpoint's key: read by the name of its environment variable, and shown nowhere."""

from __future__ import annotations

import os
import re

SHORTEST_SECRET = 8
"""Characters. A shorter word (``EMPTY`` for a local server) hides nothing, and may be part of an answer."""
_HIDDEN = "***"


class Key:
    """A key that prints as the name of its variable."""

    __slots__ = ("_secret", "_variable")

    def __init__(self, secret: str, variable: str | None) -> None:
        self._secret, self._variable = secret, variable

    @classmethod
    def from_environment(cls, variable: str | None) -> Key:
        """The key in that variable; None for an endpoint without a key.

        Raises:
            ValueError: the variable is not set, or holds what no header can carry.
        """
        if variable is None:
            return cls("", None)
        secret = os.environ.get(variable, "").strip()
        if not secret:
            raise ValueError(f"the environment variable {variable} is not set: it should hold the judge's key")
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ValueError(f"the environment variable {variable} holds no key: it has spaces or other characters")
        return cls(secret, variable)

    def __repr__(self) -> str:
        return f"Key({self.described()})"

    def described(self) -> str:
        """For messages."""
        return f"the key in {self._variable}" if self._variable else "requests without a key"

    def headers(self) -> dict[str, str]:
        """What a request carries."""
        return {"Authorization": f"Bearer {self._secret}"} if self._secret else {}

    def hide(self, text: str) -> str:
        """The text without the key, which servers may quote."""
        return text.replace(self._secret, _HIDDEN) if len(self._secret) >= SHORTEST_SECRET else text

    def hide_bytes(self, content: bytes) -> bytes:
        """As ``hide``, in JSON too, where characters of the key may be escaped."""
        if len(self._secret) < SHORTEST_SECRET:
            return content
        return self._pattern.sub(_HIDDEN.encode(), content)

    @property
    def _pattern(self) -> re.Pattern[bytes]:
        """Each character as it is, behind backslashes, or by its number; JSON in JSON has several backslashes."""
        forms = [rf"\\*(?:{re.escape(char)}|u00{ord(char):02x}|u00{ord(char):02X})" for char in self._secret]
        return re.compile("".join(forms).encode())
