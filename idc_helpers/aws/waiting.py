"""Waiting: for what AWS does in its own time, and for writes to spread before the next one.

botocore has no waiter for Identity Center, and does not retry ConflictException, which sso-admin answers
while an earlier write has not spread yet.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import ClientError

from idc_helpers.errors import WaitTimeoutError

T = TypeVar("T")

CONFLICT_TIMEOUT_S = 60.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_EXISTS = re.compile(
    r"already (exists|in use|taken|attached|assigned|enabled|a member)|duplicate|not unique", re.IGNORECASE
)


@dataclass(frozen=True)
class Timing:
    """The clock that waiting goes by; tests give one of their own.

    Attributes
    ----------
    clock
        Seconds that only go up.
    sleep
        Waits for a number of seconds.
    jitter
        A number from 0 to 1; spreads the retries of many clients.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


def wait_until(
    read: Callable[[], T],
    is_done: Callable[[T], bool],
    *,
    timeout_s: float,
    what: str,
    timing: Timing | None = None,
) -> T:
    """Read again and again until it is done, and return what was read last.

    The pauses grow from a tenth of a second to two seconds.

    Parameters
    ----------
    read
        Reads the status; called at least once, and once more when the time is up.
    is_done
        Whether a status is an end, a bad one included: the caller looks at it.
    timeout_s
        How long to wait at most, in seconds.
    what
        What is waited for, as in "the instance 'practice' to become ACTIVE".
    timing
        The clock.

    Raises
    ------
    WaitTimeoutError
        When the time is up; it names the last status.
    """
    timing = timing or Timing()
    deadline, pause_s = timing.clock() + timeout_s, _FIRST_PAUSE_S
    while True:
        status = read()
        if is_done(status):
            return status
        remaining_s = deadline - timing.clock()
        if remaining_s <= 0:
            raise WaitTimeoutError(
                f"waited {timeout_s:g} s for {what}; the last status was {status!r}",
                remedy="AWS may still be at it: run again in a while, what is done is kept.",
            )
        timing.sleep(min(pause_s, remaining_s))
        pause_s = min(pause_s * 1.6, _LONGEST_PAUSE_S)


def is_spreading(error: ClientError) -> bool:
    """Return whether a refusal will pass by itself: an earlier write has not settled yet.

    "It exists already" never passes, and neither does identitystore's ``UNIQUENESS_CONSTRAINT_VIOLATION``.
    """
    if error.response.get("Error", {}).get("Code") != "ConflictException":
        return False
    reason = error.response.get("Reason")
    if reason is not None:
        return bool(reason == "CONCURRENT_MODIFICATION")
    return _EXISTS.search(error.response.get("Error", {}).get("Message", "")) is None


def retry_conflicts(
    call: Callable[[], T],
    *,
    timeout_s: float = CONFLICT_TIMEOUT_S,
    is_retryable: Callable[[ClientError], bool] = is_spreading,
    timing: Timing | None = None,
) -> T:
    """Call, and call again while the refusal is one that passes; the pauses double, with jitter.

    Parameters
    ----------
    call
        Makes the call; it writes what the call writes.
    timeout_s
        How long to go on, in seconds.
    is_retryable
        Which refusals pass by themselves.
    timing
        The clock.

    Raises
    ------
    ClientError
        The refusal, when it is another one or the time is up.
    """
    timing = timing or Timing()
    deadline, pause_s = timing.clock() + timeout_s, 2 * _FIRST_PAUSE_S
    while True:
        try:
            return call()
        except ClientError as error:
            remaining_s = deadline - timing.clock()
            if not is_retryable(error) or remaining_s <= 0:
                raise
            timing.sleep(min(pause_s * (0.5 + timing.jitter() / 2), remaining_s))
            pause_s = min(pause_s * 2, 4 * _LONGEST_PAUSE_S)
