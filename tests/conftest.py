"""What holds for every test: nothing is timed, because a slow machine must not fail a test."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
MEMORY = Path("/dev/shm")

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def search_for_garbage_seldom() -> None:
    """Have the search for garbage come after more objects than usual: it took a fifth of the tests' time."""
    gc.set_threshold(50_000, 10, 5)


def write_to_memory() -> None:
    """Have temporary folders in memory where there is room: thousands of writes wait for a disk otherwise."""
    may_execute = MEMORY.is_dir() and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if may_execute and shutil.disk_usage(MEMORY).free > 6 * 2**30:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def keep_byte_code() -> None:
    """Have byte code written, also where the environment says not to: hundreds of processes compile else."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def listen_to_signals() -> None:
    """Take the usual dispositions: under `nohup` or in the background of a script, signals arrive ignored."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)


search_for_garbage_seldom()
write_to_memory()
keep_byte_code()
listen_to_signals()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Have each test file compiled by one worker where several collect the whole suite.

    Each worker begins to import at a place of its own, and finds byte code where another one began.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or [Path(one).absolute() for one in session.config.args] != [TESTS]:
        return
    files = sorted(TESTS.rglob("test_*.py"))
    begin = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for file in (*files[begin:], *files[:begin]):
        if str(file.parent) not in sys.path:
            sys.path.insert(0, str(file.parent))  # as pytest does
        with contextlib.suppress(Exception, pytest.skip.Exception):  # what is wrong, the collection says
            importlib.import_module(file.stem)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Have two workers do all that needs a browser: each Chromium costs ten seconds."""
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") != "loadfile":
        return None
    browsers = sorted((TESTS / "browser").glob("test_*.py"))
    together = {str(file.relative_to(TESTS.parent)): f"browser {n % 2}" for n, file in enumerate(browsers)}

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return together.get(file, file)

    return Scheduling(config, log)


def pytest_collection_finish(session):
    """Let the search for garbage pass over what stays: thousands of tests, and what they have imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def libraries_make_once():
    """Spare the tests what is made anew each time: a seventh of a client's cost, and half of a command's."""
    from made_once import make_once

    with pytest.MonkeyPatch.context() as patch:
        make_once(patch)
        yield


@pytest.fixture(autouse=True)
def dispositions_stay():
    """Fail a test that leaves a signal's disposition changed: a later one would not be ended by it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    after = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, before, strict=True):
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    assert after == before
