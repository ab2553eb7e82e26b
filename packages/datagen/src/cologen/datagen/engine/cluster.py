"""Starts or joins a Ray cluster for the length of a block; a failure is one message."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from cologen.datagen.interrupts import terminated_like_ctrl_c

_TOKEN_FILE = Path(".ray", "auth_token")  # in the home folder; a constant of Ray's


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """How parts that fail are treated.

    An error of the disk or the network, and a worker that dies, do not end a build: a part is tried ``tries`` times,
    with a pause that doubles from ``pause`` seconds on, and then set aside while the others go on. A build in which
    more than ``max_failed_parts`` were set aside (None: a twentieth of all, at least 10) ends at once.
    """

    tries: int = 3
    pause: float = 1.0
    max_failed_parts: int | None = None
    part_timeout: float | None = None
    """Seconds that a worker may take for one part; a worker that takes longer is ended, and the part tried again."""

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries must be at least 1, got {self.tries}")
        if self.part_timeout is not None and not self.part_timeout > 0:
            raise ValueError(f"part_timeout must be more than 0 seconds, got {self.part_timeout}")

    def may_fail(self, num_parts: int) -> int:
        """How many of a build's parts may be set aside before it ends."""
        return max(10, num_parts // 20) if self.max_failed_parts is None else self.max_failed_parts

    def pause_before(self, number: int) -> float:
        """Seconds to wait before try ``number``, counted from 1."""
        return self.pause * 2 ** (number - 2) if number > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where to run, and what to do about parts that fail there.

    ``address`` is a Ray address, or None for a cluster of this machine alone with ``num_cpus`` (None: all).
    """

    address: str | None = None
    num_cpus: int | None = None
    failures: FailurePolicy = FailurePolicy()


def require_ray() -> None:
    """Check that Ray is installed, which the core of ``cologen-datagen`` does without.

    Raises:
        ValueError: it is not.
    """
    if find_spec("ray") is None:
        raise ValueError("building manifests needs Ray: install cologen-datagen[ray]")


@contextmanager
def connected(cluster: Cluster) -> Generator[ModuleType, None, None]:
    """Ray, joined to the cluster for the length of the block; inside another such block that one's cluster.

    Raises:
        RuntimeError: Ray does not start, there is no cluster at the address, or it was lost in the block.
    """
    # Otherwise Ray under `uv run` copies the working folder and builds a second environment for its workers.
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    if cluster.address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's name for "listen on the loopback only"
    require_ray()
    import ray
    import ray.exceptions

    logging.getLogger("ray._private").setLevel(logging.ERROR)
    already = ray.is_initialized()
    try:
        if not already:
            _start(ray, cluster)
        with terminated_like_ctrl_c():  # again, since ray.init sets a handler that ends without a word
            yield ray
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"Ray: {first_line(error)}. Run the same command again to continue.") from error
    finally:
        if not already:
            ray.shutdown()


def first_line(error: BaseException) -> str:
    """What an exception of Ray says, without the traceback and the advice that it appends."""
    error = getattr(error, "cause", None) or error  # a RayTaskError has what the worker raised
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0].removesuffix(".") if lines else "no message"
    return f"{type(error).__name__}: {said}"


def _start(ray: ModuleType, cluster: Cluster) -> None:
    common = {"log_to_driver": False, "logging_level": logging.WARNING}
    if cluster.address:
        _tried(ray, f"at {cluster.address}", _JOINING_ADVICE, address=cluster.address, **common)
        return
    _write_token()
    local = {"num_cpus": cluster.num_cpus, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        _tried(ray, "on this machine", _LOCAL_ADVICE, address="local", **local, **common)
    except RuntimeError:
        # Ray gives its processes half a minute, which a busy machine may exceed; the second time it is in the cache.
        _tried(ray, "on this machine", _LOCAL_ADVICE, address="local", **local, **common)


def _tried(ray: ModuleType, where: str, advice: str, **options: Any) -> None:
    try:
        ray.init(**options)
    except Exception as error:  # a bare Exception where a node starts too slowly, a ConnectionError, a ValueError
        ray.shutdown()
        raise RuntimeError(f"Ray did not start {where} ({first_line(error)}). To do: {advice}") from error


_JOINING_ADVICE = "is the cluster running and reachable from here, and its secret in ~/.ray/auth_token?"
_LOCAL_ADVICE = (
    "run the same command again. A busy machine may be too slow for Ray, a full /tmp or too little memory keeps it "
    "from starting, and its logs are in /tmp/ray/session_latest/logs."
)


def _write_token() -> None:
    """Write the secret of local clusters where Ray would, which leaves it readable by every user of the machine."""
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        return
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = Path.home() / _TOKEN_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_uid == os.getuid() and path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
