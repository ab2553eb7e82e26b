"""A judge behind an OpenAI-compatible chat endpoint (``POST …/chat/completions``), over httpx.

The key is read from the environment, sent in the header, and kept out of messages, logs and answers.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx
import orjson

from cologen.evaluation.judges.asking import Answer, today
from cologen.evaluation.judges.keys import Key
from cologen.evaluation.judges.replies import UnusableError, error_in, is_filter, is_quota, read_reply
from cologen.evaluation.records import ScoreError

MAX_REPLY_BYTES = 4 << 20
"""A longer reply is no answer to a question of ours."""
_PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which the same request may be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """Where the judge is, and how long it is waited for.

    ``url`` is the base, such as ``https://api.openai.com/v1``. ``key_variable`` names the environment variable that
    holds the key; None for an endpoint without one. ``timeout`` is for one try, whole, in seconds. ``pause`` seconds
    come before the second try, and double; a server that asks for more gets more, up to ``longest_pause``.
    """

    url: str
    model: str
    key_variable: str | None = None
    timeout: float = 120.0
    tries: int = 5
    pause: float = 1.0
    longest_pause: float = 120.0
    max_tokens: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the judge's endpoint must begin with http:// or https:// and a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            # Not shown: it may hold a key.
            raise ValueError("the judge's endpoint must be a plain URL: its key belongs in an environment variable")
        if not self.model:
            raise ValueError("the judge's model needs a name, as the endpoint knows it")
        if self.tries < 1 or self.max_tokens < 1 or min(self.timeout, self.pause, self.longest_pause) <= 0:
            raise ValueError("tries and max_tokens must be at least 1, timeout and pauses above 0 seconds")


class Endpoint:
    """A ``VisionModel`` behind an endpoint."""

    def __init__(self, settings: EndpointSettings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings, self._sleep = settings, sleep
        self._key = Key.from_environment(settings.key_variable)
        self._url = settings.url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self._client = httpx.Client(timeout=settings.timeout, headers=self._key.headers())

    @property
    def fingerprint(self) -> str:
        """The model's name as it is asked for, and the settings of decoding."""
        settings = self._settings
        return f"{settings.model}, temperature 0, seed {settings.seed}, {settings.max_tokens} tokens"

    def ask(self, prompt: str, pictures: Sequence[bytes]) -> Answer:
        """See ``VisionModel``; connection errors, 429 and 5xx are tried again, ``tries`` times in all."""
        body, settings = self._body(prompt, pictures), self._settings
        problem = UnusableError("")
        for number in range(settings.tries):
            if number:
                self._sleep(max(settings.pause * 2 ** (number - 1), problem.wait))
            try:
                return self._attempt(body)
            except UnusableError as error:
                problem = error
            if problem.wait > settings.longest_pause:
                raise self._no_answer(f"{problem}, and it asks to wait {problem.wait:.0f} s")
        raise self._no_answer(f"{settings.tries} tries, the last: {problem}")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _no_answer(self, why: object) -> ScoreError:
        return ScoreError("no_answer", f"{self._url}: {why}")

    def _body(self, prompt: str, pictures: Sequence[bytes]) -> bytes:
        shown = [{"type": "image_url", "image_url": {"url": _data_uri(picture)}} for picture in pictures]
        settings = self._settings
        return orjson.dumps(
            {
                "model": settings.model,
                "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}, *shown]}],
                "temperature": 0,
                "seed": settings.seed,
                "max_tokens": settings.max_tokens,
            }
        )

    def _attempt(self, body: bytes) -> Answer:
        try:
            status, asked, content = self._send(body)
        except httpx.TimeoutException as error:
            raise UnusableError(f"no answer within {self._settings.timeout:g} s") from error
        except httpx.RequestError as error:
            raise UnusableError(self._key.hide(f"{type(error).__name__}: {error}")) from error
        content = self._key.hide_bytes(content)
        if status == HTTPStatus.OK:
            return read_reply(content, day=today())
        return self._not_ok(status, content, _wait(asked))

    def _send(self, body: bytes) -> tuple[int, str, bytes]:
        """Status, ``Retry-After`` and content, within ``timeout`` as a whole: httpx's limits are from byte to byte."""
        end = time.monotonic() + self._settings.timeout
        content = bytearray()
        headers = {"Content-Type": "application/json"}
        with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the answer comes too slowly")
                if len(content) > MAX_REPLY_BYTES:
                    raise UnusableError(f"the reply is longer than {MAX_REPLY_BYTES:,} bytes")
            return response.status_code, response.headers.get("Retry-After", "").strip(), bytes(content)

    def _not_ok(self, status: int, content: bytes, wait: float) -> Answer:
        """What a status other than 200 means: try again, stop the run, or no answer to this question."""
        said = f"HTTP {status} {error_in(content)}".rstrip()
        if is_filter(content):
            return Answer(text=said, model="", day=today(), ending="refused")
        if is_quota(content):
            raise ValueError(f"{self._url}: the account is used up ({said}). Later, the same command continues")
        if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UnusableError(said, wait=wait)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise ValueError(f"{self._url} refuses {self._key.described()}: {said}")
        if status == HTTPStatus.NOT_FOUND:
            raise ValueError(f"{self._url} knows no model {self._settings.model!r}, or is no chat endpoint: {said}")
        if status < HTTPStatus.BAD_REQUEST:
            raise ValueError(f"{self._url} is not the endpoint itself: it answers {said}. Give the final URL")
        raise self._no_answer(said)


def _data_uri(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"


def _wait(asked: str) -> float:
    """``Retry-After`` in seconds from now; 0 without one, or where it is malformed (RFC 9110, 10.2.3)."""
    if asked.isascii() and asked.isdigit():
        return float(asked)
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(asked)
        zoned = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (zoned - datetime.now(UTC)).total_seconds())
    return 0.0
