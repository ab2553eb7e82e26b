"""A real HTTP server on loopback that plays an OpenAI-compatible chat endpoint."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATED = "judge-2026-01-01"
"""The name under which the server's model answers, whatever it is asked for."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before each byte of the body."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came."""

    path: str
    authorization: str | None
    payload: dict[str, Any]

    @property
    def prompt(self) -> str:
        return self.payload["messages"][0]["content"][0]["text"]

    @property
    def pictures(self) -> list[str]:
        return [each["image_url"]["url"] for each in self.payload["messages"][0]["content"][1:]]


Script = Callable[[Asked], Reply]


def said(text: str | None, *, model: str = STATED, finish: str = "stop", refusal: str | None = None) -> Reply:
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return Reply(body=json.dumps({"object": "chat.completion", "model": model, "choices": [choice]}).encode())


def failed(status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None) -> Reply:
    body = json.dumps({"error": {"message": message, "code": code}}).encode()
    return Reply(status=status, body=body, headers=headers or {})


@dataclass(kw_only=True)
class ChatServer:
    url: str
    script: Script
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def chat_server(script: Script) -> Generator[ChatServer, None, None]:
    """The server answers what ``script`` says, which tests may replace."""
    server = ChatServer(url="", script=script)
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = Asked(path=self.path, authorization=self.headers["Authorization"], payload=payload)
            server.asked.append(asked)
            reply = server.script(asked)
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(0, len(reply.body), 1) if reply.delay else ():
                if stopped.wait(reply.delay):
                    return
                self.wfile.write(reply.body[start : start + 1])
            self.wfile.write(b"" if reply.delay else reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is part of the tests."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            stopped.set()
            http.shutdown()
            thread.join()


def in_turn(*replies: Reply) -> Script:
    """The replies one after the other, then the last of them for ever."""
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def slowly(seconds: float, reply: Reply) -> Script:
    """The reply, after so many seconds without a byte."""

    def script(asked: Asked) -> Reply:
        time.sleep(seconds)
        return reply

    return script
