"""Which signals end a run in order."""

import os
import queue
import signal
import threading
import time

import pytest

from idc_runner.execution import Interrupted, signals_as_exceptions


@pytest.fixture
def hang_up():
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_closed_ends_the_run_and_the_handler_before_comes_back(hang_up):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with pytest.raises(Interrupted) as ended, signals_as_exceptions():
        os.kill(os.getpid(), signal.SIGHUP)
    assert ended.value.signal_number == signal.SIGHUP
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_under_nohup_a_run_goes_on(hang_up):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals_as_exceptions():
        os.kill(os.getpid(), signal.SIGHUP)


def test_a_signal_that_does_not_wake_the_main_thread_is_sent_again():
    results, heard = queue.SimpleQueue(), threading.Event()
    late = []

    def waits():
        with signals_as_exceptions():
            worker.start()
            results.get()

    def signals_in_another_thread():
        time.sleep(0.5)  # until the main thread waits: nothing shows that it does
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        if not heard.wait(60):
            late.append("the main thread waited for its result all the same")
            results.put(None)

    worker = threading.Thread(target=signals_in_another_thread)
    with pytest.raises(Interrupted):
        waits()
    heard.set()
    worker.join()
    assert late == []
