"""ISO 8601 durations, the way that Identity Center writes session lengths."""

from __future__ import annotations

import re
from datetime import timedelta

from idc_helpers.errors import InvalidValueError

_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?",
    re.ASCII,
)
_REMEDY = "Write an ISO 8601 duration, such as 'PT1H' (one hour), 'PT90M' (90 minutes) or 'P7D' (seven days)."


def parse_duration(text: str) -> timedelta:
    """Return the length of an ISO 8601 duration.

    Weeks, days, hours, minutes and whole seconds are understood. Years and months are not, because their
    length is not fixed; neither are negative durations.

    Parameters
    ----------
    text
        Such as ``"PT8H"``.

    Raises
    ------
    InvalidValueError
        The text is not such a duration.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreatePermissionSet.html
    (``SessionDuration``).
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidValueError(
            f"{text!r} is not a duration in weeks, days, hours and minutes", remedy=_REMEDY
        )
    return timedelta(**{unit: int(number or 0) for unit, number in match.groupdict().items()})


def format_duration(length: timedelta) -> str:
    """Return the ISO 8601 text of a length, in days, hours, minutes and seconds.

    Parameters
    ----------
    length
        Not negative, and in whole seconds.

    Returns
    -------
    str
        One text for each length: ``"PT1H30M"`` for 90 minutes, ``"P7D"`` for a week, ``"PT0S"`` for nothing.

    Raises
    ------
    InvalidValueError
        The length is negative or not in whole seconds.
    """
    if length < timedelta(0) or length.microseconds:
        raise InvalidValueError(
            f"{length!r} has no such duration", remedy="Give a length in whole seconds that is not negative."
        )
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days_text = f"{length.days}D" if length.days else ""
    time_text = "".join(
        f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number
    )
    if not days_text and not time_text:
        return "PT0S"
    return f"P{days_text}" + (f"T{time_text}" if time_text else "")


def length_in_words(length: timedelta) -> str:
    """Return a length as a person says it, such as ``"1 hour 30 minutes"`` or ``"7 days"``; no seconds."""
    hours, minutes = divmod(length.seconds // 60, 60)
    parts = [
        f"{number} {unit}{'' if number == 1 else 's'}"
        for number, unit in ((length.days, "day"), (hours, "hour"), (minutes, "minute"))
        if number
    ]
    return " ".join(parts) or "0 minutes"
