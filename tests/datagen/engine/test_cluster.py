"""Ray's ways to fail are one message each, and its secret is its user's alone."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen.engine.cluster import Cluster, FailurePolicy, connected, first_line


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Ray that starts nothing and notes how it was asked to; the errors in ``failing`` come first."""
    import ray

    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", lambda **options: calls.append(options))
    return calls


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_secret_is_written_for_its_user_alone(home: Path, started: list[dict[str, Any]]):
    before = os.umask(0)
    try:
        with connected(Cluster()):
            pass
    finally:
        os.umask(before)
    token = home / ".ray/auth_token"
    assert _mode(token) == 0o600 and len(token.read_text()) == 64
    assert started[0]["address"] == "local" and started[0]["_node_ip_address"] == "127.0.0.1"


def test_a_secret_that_all_could_read_is_kept_and_closed(home: Path, started: list[dict[str, Any]]):
    token = home / ".ray/auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(0o644)
    with connected(Cluster()):
        pass
    assert _mode(token) == 0o600 and token.read_text() == "secret"


def test_no_secret_is_written_where_ray_takes_another(
    home: Path, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    with connected(Cluster()):
        pass
    with connected(Cluster(address="ray://elsewhere")):
        pass
    assert not (home / ".ray").exists() and len(started) == 2


@pytest.mark.usefixtures("home", "started")
def test_a_start_that_is_too_slow_is_tried_once_more_and_is_then_one_message(monkeypatch: pytest.MonkeyPatch):
    import ray

    tries: list[dict[str, Any]] = []

    def slow(**options: Any) -> None:
        tries.append(options)
        raise Exception("The current node timed out during startup. This could happen\nbecause")  # noqa: TRY002

    monkeypatch.setattr(ray, "init", slow)
    with (
        pytest.raises(RuntimeError, match=r"did not start on this machine .*timed out during startup"),
        connected(Cluster()),
    ):
        pass
    assert len(tries) == 2
    with (
        pytest.raises(RuntimeError, match=r"did not start at ray://nowhere.*auth_token"),
        connected(Cluster(address="ray://nowhere")),
    ):
        pass
    assert len(tries) == 3


@pytest.mark.usefixtures("home", "started")
def test_what_ray_raises_later_is_one_message_too():
    import ray.exceptions

    for kind in (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        with (
            pytest.raises(RuntimeError, match=f"^Ray: {kind.__name__}: .*Run the same command again"),
            connected(Cluster()),
        ):
            raise kind("lost") if kind is ray.exceptions.OutOfMemoryError else kind()


def test_an_error_of_a_task_is_shown_as_what_the_worker_raised():
    error = RuntimeError("a traceback")
    error.cause = ZeroDivisionError("division by zero.\nmore")  # type: ignore[attr-defined]
    assert first_line(error) == "ZeroDivisionError: division by zero"


def test_pauses_double_and_a_twentieth_of_all_parts_may_fail():
    policy = FailurePolicy(tries=4, pause=0.5)
    assert [policy.pause_before(number) for number in (1, 2, 3, 4)] == [0.0, 0.5, 1.0, 2.0]
    assert (policy.may_fail(7), policy.may_fail(40_000)) == (10, 2000)
    assert FailurePolicy(max_failed_parts=0).may_fail(40_000) == 0


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"part_timeout": 0.0}, {"part_timeout": -1.0}])
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FailurePolicy(**wrong)


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cologen.datagen.engine.cluster.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"install cologen-datagen\[ray\]"), connected(Cluster()):
        pass
