"""A signal asks, a second one acts, and afterwards all is as it was."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from cologen.trainer.loop.stopping import INTERRUPTED_WORDS, stopped_by_signals


def test_a_signal_asks_to_stop_and_the_next_one_does(caplog: pytest.LogCaptureFixture):
    heard = list[int]()
    before = signal.signal(signal.SIGTERM, lambda which, frame: heard.append(which))
    try:
        with stopped_by_signals() as stopping:
            assert not stopping.asked
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping.asked and heard == []
            assert "SIGTERM: finishing this step and saving" in caplog.text
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == [signal.SIGTERM]
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


SLOW = """
import time
from cologen.trainer.loop.stopping import INTERRUPTED_WORDS, stopped_by_signals
with stopped_by_signals() as stopping:
    print("begun", flush=True)
    while not stopping.asked:
        time.sleep(0.01)
    print("asked", flush=True)
    try:
        time.sleep(60)
    finally:
        time.sleep(60)
"""


def test_a_second_ctrl_c_waits_neither_for_the_step_nor_for_the_cleanup():
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == f"SIGINT: finishing this step and saving\n{INTERRUPTED_WORDS}\n"


def test_beside_the_main_thread_signals_are_left_alone():
    found = list[bool]()

    def run() -> None:
        with stopped_by_signals() as stopping:
            found.append(stopping.asked)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]
    assert signal.getsignal(signal.SIGTERM) is before
