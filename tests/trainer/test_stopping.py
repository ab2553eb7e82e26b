"""A signal asks, a second one acts, and afterwards all is as it was."""

import os
import signal
import threading

import pytest

from cologen.trainer.stopping import stopped_by_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop_and_the_next_one_does(number: signal.Signals, caplog: pytest.LogCaptureFixture):
    heard = list[int]()
    before = signal.signal(number, lambda which, frame: heard.append(which))
    try:
        with stopped_by_signals() as stopping:
            assert not stopping.asked
            os.kill(os.getpid(), number)
            assert stopping.asked and heard == []
            assert f"{number.name}: finishing this step and saving" in caplog.text
            os.kill(os.getpid(), number)
            assert heard == [number]
        os.kill(os.getpid(), number)
        assert heard == [number, number]
    finally:
        signal.signal(number, before)


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
