"""What the front door refuses, in words for the person at the page."""

from __future__ import annotations

import math


class Refusal(Exception):  # noqa: N818  no defect: an answer
    """The person cannot do this; nothing was changed.

    Attributes
    ----------
    code
        For programs, such as ``"invitation-expired"``.
    message
        What happened and what to do now; shown to the person, so it never tells whether a user exists.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def waiting_time(seconds: float) -> str:
    """Return a waiting time as people say it: ``"1 second"``, ``"3 minutes"``; rounded up."""
    if seconds <= 90:
        count, unit = max(1, math.ceil(seconds)), "second"
    else:
        count, unit = math.ceil(seconds / 60), "minute"
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
