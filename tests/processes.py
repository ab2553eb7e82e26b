"""Processes of others, for tests that stop or kill them."""

import signal
import subprocess
from collections.abc import Mapping, Sequence

import psutil


def ray_processes(role: str) -> list[psutil.Process]:
    """Those with ``role`` in their title (``ray::_run_pass``, ``ray::IDLE`` …); what ends meanwhile is left out."""
    found = list[psutil.Process]()
    for child in psutil.Process().children(recursive=True):
        try:
            if role in " ".join(child.cmdline()):
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def interrupted_twice(
    command: Sequence[str], environment: Mapping[str, str] | None = None, sent: signal.Signals = signal.SIGINT
) -> tuple[int, str]:
    """Exit code and last words of a program that says ``begun``, and on a signal ``cleaning`` before a long cleanup."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        process.send_signal(sent)
        assert process.stdout.readline() == "cleaning\n"
        process.send_signal(sent)
        _, said = process.communicate(timeout=30)
    return process.returncode, said
