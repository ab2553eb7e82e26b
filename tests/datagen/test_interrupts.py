"""The first Ctrl-C is an exception, the second one the end; what was there before is put back."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from cologen.datagen.interrupts import STOPPED, second_one_ends

TWICE = """
import os, signal
from cologen.datagen.interrupts import second_one_ends
with second_one_ends("the last words"):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        print("not reached")
"""


def test_the_second_one_ends_the_process_with_a_line():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (STOPPED, "", "the last words\n")


def test_the_first_one_is_an_exception_and_none_leaves_the_handler_as_it_was():
    before = signal.getsignal(signal.SIGINT)
    with second_one_ends("words"):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    try:
        with pytest.raises(KeyboardInterrupt), second_one_ends("words"):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
    finally:
        signal.signal(signal.SIGINT, before)


def test_beside_the_main_thread_nothing_changes():
    found = list[object]()

    def run() -> None:
        with second_one_ends("words"):
            found.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]
