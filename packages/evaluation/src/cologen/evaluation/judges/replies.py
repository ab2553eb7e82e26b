"""Replies of a chat endpoint: JSON to an ``Answer``, and what an error in JSON says."""

from __future__ import annotations

from typing import Any

import orjson

from cologen.evaluation.judges.asking import Answer, Ending

SHOWN = 200
"""Characters of a server's message in ours."""
_FILTERS = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
"""Codes of errors that mean a refusal: a filter before the model."""
_QUOTAS = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_ENDINGS: dict[str, Ending] = {"length": "cut", "content_filter": "refused"}


class UnusableError(Exception):
    """A try without an answer; another may have one, ``wait`` seconds later at the earliest."""

    def __init__(self, detail: str, *, wait: float = 0.0) -> None:
        super().__init__(detail)
        self.wait = wait


def read_reply(content: bytes, *, day: str) -> Answer:
    """The answer in a reply with status 200.

    Raises:
        UnusableError: it is no chat completion: a proxy's page, an error in place of the answer, no choice.
    """
    try:
        reply: Any = orjson.loads(content)
        choice = reply["choices"][0]
        message = choice["message"]
        text, refusal = _text(message.get("content")), message.get("refusal")
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnusableError(f"the reply is no chat completion: {shortened(content)}") from error
    model, finish = reply.get("model"), choice.get("finish_reason")
    return Answer(
        text=str(refusal) if refusal else text,
        model=model if isinstance(model, str) else "",
        day=day,
        ending="refused" if refusal else _ENDINGS.get(str(finish), "complete"),
    )


def error_in(content: bytes) -> str:
    """What the server says about the error, in one line."""
    error = _error(content)
    message = error.get("message")
    return shortened(message.encode()) if isinstance(message, str) else shortened(content)


def is_filter(content: bytes) -> bool:
    """Whether a filter refused the question."""
    return str(_error(content).get("code")) in _FILTERS


def is_quota(content: bytes) -> bool:
    """Whether the account has to be paid for before anything is answered."""
    return str(_error(content).get("code")) in _QUOTAS


def shortened(content: bytes) -> str:
    """The beginning of a text from elsewhere, as one printable line."""
    text = " ".join(content[: 4 * SHOWN].decode(errors="replace").split())
    printable = "".join(each if each.isprintable() else "�" for each in text)
    return printable if len(printable) <= SHOWN else printable[: SHOWN - 1] + "…"


def _text(content: Any) -> str:
    """A message's content: text, or parts of which some are text; nothing where the model refused."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return "" if content is None else str(content)


def _error(content: bytes) -> dict[str, Any]:
    try:
        error: Any = orjson.loads(content)["error"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
