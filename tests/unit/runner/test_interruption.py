"""Which signals end a run in order."""

import os
import signal

import pytest

from idc_helpers.runner.interruption import Interrupted, signals_as_exceptions


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
