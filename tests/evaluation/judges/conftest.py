"""An endpoint of one's own."""

from collections.abc import Generator

import pytest

from tests.evaluation.judges.chat_server import ChatServer, chat_server, said


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Generator[ChatServer, None, None]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with chat_server(lambda asked: said("yes")) as running:
        yield running
